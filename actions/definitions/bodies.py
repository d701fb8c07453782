"""JSON bodies of calls. Their strings are templates, and a value never adds structure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.deferred_text import DeferredText
from actions.definitions.errors import ExpressionError, ExpressionFailed
from actions.definitions.expressions.evaluation import MAX_STEPS
from actions.definitions.expressions.expression import Expression, Path, compile_expression
from actions.definitions.expressions.template import OPTIONAL, Template, compile_template
from actions.definitions.expressions.values import NoValue, Spend, as_json, json_text

MAX_BODY: Final = 256 * 1024
_AT: Final = gettext_noop("At {at}: {why}")
_MAX_DEPTH: Final = 20
MAX_LEAVES: Final = 500
EACH: Final = frozenset({"for_each", "as", "of"})


@dataclass(frozen=True, slots=True)
class _ForEach:
    """One entry for each element of a list."""

    over: Expression
    name: str
    of: "Body"


@dataclass(frozen=True, slots=True)
class Body:
    """A JSON structure whose strings are templates. A string that is exactly one `{expression}` keeps its type."""

    shape: Any  # nested dicts and lists, with templates as leaves

    def paths(self) -> frozenset[Path]:
        return frozenset(path for _, paths in self.named_paths() for path in paths)

    def named_paths(self) -> Iterator[tuple[str, frozenset[Path]]]:
        """Yield, for each value, the name of the field that it is sent in ("" if it has none) and the paths that it
        reads.
        """
        return _paths(self.shape, "", frozenset())

    def render(self, names: Mapping[str, Any]) -> Any:
        """Return the body as JSON types, with numbers as int or Decimal. Raises ExpressionFailed."""
        return _filled(self.shape, names, Spend(MAX_STEPS))

    def text(self, names: Mapping[str, Any]) -> str:
        """Return the JSON text to send."""
        text = json_text(self.render(names))
        if len(text) > MAX_BODY:
            raise ExpressionFailed(
                gettext_noop("a body can be at most {most} KiB"), place="body", most=MAX_BODY // 1024
            )
        return text


def compile_body(value: Any) -> Body:
    """Return a compiled body; raises ExpressionError with the field in its message."""
    return Body(_compiled(value, "body", [MAX_LEAVES], 0))


def _compiled(value: Any, at: str, leaves: list[int], depth: int) -> Any:
    leaves[0] -= 1
    if depth > _MAX_DEPTH or leaves[0] < 0:
        why = gettext_noop("A body can have at most {most} values, nested at most {deep} levels deep.")
        raise ExpressionError(_AT, 0, at=at, why=DeferredText(why, most=MAX_LEAVES, deep=_MAX_DEPTH))
    match value:
        case dict() if value.keys() == EACH:
            return _compiled_each(value, at, leaves, depth)
        case dict():
            return {key: _compiled(item, f"{at}.{key}", leaves, depth + 1) for key, item in value.items()}
        case list():
            return [_compiled(item, f"{at}[{place}]", leaves, depth + 1) for place, item in enumerate(value)]
        case str():
            try:
                return compile_template(value)
            except ExpressionError as error:
                raise ExpressionError(_AT, error.position, at=at, why=error.why) from error
    try:
        return as_json(value)
    except NoValue as error:
        raise ExpressionError(_AT, 0, at=at, why=error.why) from error


def _compiled_each(value: Mapping[str, Any], at: str, leaves: list[int], depth: int) -> _ForEach:
    over, name = value["for_each"], value["as"]
    if not isinstance(over, str) or not isinstance(name, str) or not name.isidentifier():
        raise ExpressionError(
            _AT,
            0,
            at=at,
            why=DeferredText(gettext_noop('Write {"for_each": "path of a list", "as": "name", "of": ...}.')),
        )
    return _ForEach(compile_expression(over), name, Body(_compiled(value["of"], f"{at}.of", leaves, depth + 1)))


def _filled(shape: Any, names: Mapping[str, Any], spend: Spend) -> Any:
    _spend_step(spend)
    match shape:
        case dict():
            return dict(_filled_fields(shape, names, spend))
        case list():
            return [_filled(item, names, spend) for item in shape]
        case Template():
            return _leaf(shape, names, spend)
        case _ForEach():
            elements = shape.over.evaluate(names, spend)
            if not isinstance(elements, list | tuple):
                raise ExpressionFailed(gettext_noop("for_each needs a list"), place=shape.over.text)
            return [_filled(shape.of.shape, {**names, shape.name: element}, spend) for element in elements]
    return shape


def _spend_step(spend: Spend) -> None:
    try:
        spend(1)
    except NoValue as error:
        raise ExpressionFailed(error.why, place="body") from error


def _filled_fields(shape: Mapping[str, Any], names: Mapping[str, Any], spend: Spend) -> Iterator[tuple[str, Any]]:
    for key, item in shape.items():
        if not key.endswith(OPTIONAL):
            yield key, _filled(item, names, spend)
            continue
        only = item.expression if isinstance(item, Template) else None
        if only is None or only.evaluate_if_present(names, spend) is not None:
            yield key.removesuffix(OPTIONAL), _filled(item, names, spend)


def _leaf(template: Template, names: Mapping[str, Any], spend: Spend) -> Any:
    only = template.expression
    if only is None:
        return template.plain(names, spend)
    value = only.evaluate(names, spend)
    try:
        return as_json(value)
    except NoValue as error:
        raise ExpressionFailed(error.why, place=only.text) from error


def _paths(shape: Any, name: str, bound: frozenset[str]) -> Iterator[tuple[str, frozenset[Path]]]:
    match shape:
        case dict():
            for key, item in shape.items():
                yield from _paths(item, key.removesuffix(OPTIONAL), bound)
        case list():
            for item in shape:
                yield from _paths(item, name, bound)
        case Template():
            yield name, frozenset(path for path in shape.paths() if path[0] not in bound)
        case _ForEach():
            yield name, frozenset(path for path in shape.over.paths() if path[0] not in bound)
            yield from _paths(shape.of.shape, name, bound | {shape.name})
