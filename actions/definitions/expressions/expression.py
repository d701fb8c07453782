"""The small language of definitions: guards, amounts, owners and conditions. Pure and bounded. An expression sees only
the names it is given, changes nothing, and stops after a limited number of steps. The reference, with the grammar, is
docs/definitions.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_noop

from actions.definitions.errors import ExpressionError, ExpressionFailed
from actions.definitions.expressions import parser as tree
from actions.definitions.expressions.evaluation import evaluate, evaluate_if_present
from actions.definitions.expressions.type_checks import Samples, check_types
from actions.definitions.expressions.values import NO_CONDITION, Spend, kind_of

_OF_A_CONDITION: Final = frozenset({"all", "any", "count", "filter", "first"})  # functions over a list
Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression, which can be evaluated any number of times."""

    text: str
    _tree: tree.Node

    def evaluate(self, names: Mapping[str, Any], spend: Spend | None = None) -> Any:
        """Return the value for these names; `now` must be an aware datetime if dates are used. Numbers are returned as
        Decimal, amounts as Money, days and times as date and datetime, lists and objects unchanged. Raises
        ExpressionFailed with the part that failed. `spend` is a step budget that several expressions can share.
        """
        return evaluate(self.text, self._tree, names, spend)

    def evaluate_if_present(self, names: Mapping[str, Any], spend: Spend | None = None) -> Any:
        """Return the value, or None if its path does not exist."""
        return evaluate_if_present(self.text, self._tree, names, spend)

    def holds(self, names: Mapping[str, Any], spend: Spend | None = None) -> bool:
        """Return the value of a condition; raises ExpressionFailed if it is not true or false."""
        value = self.evaluate(names, spend)
        if not isinstance(value, bool):
            raise ExpressionFailed(NO_CONDITION, kind=kind_of(value), place=self.text)
        return value

    def paths(self) -> frozenset[Path]:
        """Return the paths that the expression reads, as written: `order.items[0].price` is ("order", "items", "0",
        "price").
        """
        return frozenset(_paths(self._tree, frozenset()))

    def field(self) -> str:
        """Return the field if the expression only reads one, such as order.status; "" if it computes anything. A field
        of list entries is named as a field of the list: `map(order.items, i, i.kind)` and `order.items[0].kind` both
        read order.items.kind.
        """
        return ".".join(_field(self._tree))

    def fields(self) -> frozenset[str]:
        """Return the fields whose values the expression shows; fields of list entries are named as in `field`."""
        return frozenset(_fields(self._tree, {}))

    def sources(self) -> frozenset[str]:
        """Return the outside names that the value comes from. Names that only a condition of `first` or `filter` reads
        do not count: whichever entry it chooses, the value comes from the list.
        """
        return frozenset(_sources(self._tree, frozenset()))

    def check_types(self, samples: Samples, *, is_condition: bool = False) -> None:
        """Raise ExpressionError for an operation that fails whenever it is evaluated."""
        check_types(self._tree, samples, is_condition=is_condition)

    def places_of(self, path: tuple[str, str]) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each mention of a field in the text, with its dot or brackets: for ("order", "id")
        in `order.id`, the start and end of `.id`.
        """
        name, key = path
        for node in tree.nodes_of(self._tree):
            match node:
                case tree.Path(of=tree.Name() as of, keys=(tree.Literal(value=value), *_)) if of.name == name:
                    if value == key:
                        yield of.end, node.ends[0]

    def places_of_name(self, name: str) -> Iterator[tuple[int, int]]:
        """Yield the start and end of each mention of an outside name in the text, such as `order` in `order.id`."""
        yield from _mentions(self._tree, name)

    def bound_names(self) -> frozenset[str]:
        """Return the names that the expression gives to list entries and their positions: {"v"} for
        `all(variants, v, v.price > 0)`.
        """
        each = (node for node in tree.nodes_of(self._tree) if isinstance(node, tree.ListFunction))
        return frozenset(name for node in each for name in (node.name, node.position) if name)


def compile_expression(text: str) -> Expression:
    """Return the compiled expression; raises ExpressionError with the position of the first mistake."""
    if not text.strip():
        raise ExpressionError(gettext_noop("Write an expression, such as order.status == 'paid'."), 0)
    return Expression(text, tree.parse(text))


def _fields(node: tree.Node, bound: Mapping[str, str]) -> Iterator[str]:
    """Yield the fields whose values a tree returns or computes with; `bound` maps the names of list entries to their
    lists. A condition that only chooses an entry adds no field.
    """
    match node:
        case tree.Name() | tree.Path() if field := _field_read(node, bound):
            yield field
            for key in node.keys if isinstance(node, tree.Path) else ():
                yield from _fields(key, bound)
        case tree.ListFunction():
            yield from _fields(node.over, bound)
            if node.function not in _OF_A_CONDITION:
                yield from _fields(node.body, _with_entry(node, bound))
        case _:
            for child in tree.children_of(node):
                yield from _fields(child, bound)


def _field_read(node: tree.Node, bound: Mapping[str, str]) -> str:
    """Return the field if a tree only reads one, whichever list entries it chooses; "" if it computes a value."""
    match node:
        case tree.Name():
            return bound.get(node.name, node.name)
        case tree.Path() if inside := _field_read(node.of, bound):
            names = [key.value for key in node.keys if isinstance(key, tree.Literal)]
            return ".".join([inside, *(one for one in names if isinstance(one, str))])
        case tree.ListFunction(function="filter" | "first"):
            return _field_read(node.over, bound)
        case tree.ListFunction(function="map"):
            return _field_read(node.body, _with_entry(node, bound))
    return ""


def _with_entry(node: tree.ListFunction, bound: Mapping[str, str]) -> Mapping[str, str]:
    return {**bound, node.name: _field_read(node.over, bound), node.position: ""}


def _field(node: tree.Node) -> tuple[str, ...]:
    match node:
        case tree.Name():
            return (node.name,)
        case tree.Path() if inside := _field(node.of):
            keys = [key.value for key in node.keys if isinstance(key, tree.Literal)]
            names = [key for key in keys if isinstance(key, str)]
            return (*inside, *names) if len(keys) == len(node.keys) else ()
        case tree.ListFunction(function="map") if inside := _field(node.over):
            first, *rest = _field(node.body) or ("",)
            return (*inside, *rest) if first == node.name else ()
    return ()


def _mentions(node: tree.Node, name: str) -> Iterator[tuple[int, int]]:
    match node:
        case tree.Name() if node.name == name:
            yield node.start, node.end
        case tree.ListFunction() if name in (node.name, node.position):  # bound inside
            yield from _mentions(node.over, name)
        case _:
            for child in tree.children_of(node):
                yield from _mentions(child, name)


def _paths(node: tree.Node, bound: frozenset[str]) -> Iterator[Path]:
    """Yield the paths of a tree that begin with an outside name."""
    match node:
        case tree.Name():
            if node.name not in bound:
                yield (node.name,)
        case tree.Path(of=tree.Name(name=name), keys=keys):
            if name not in bound:
                yield (name, *_written(keys))
            for key in keys:
                yield from _paths(key, bound)
        case tree.ListFunction():
            yield from _paths(node.over, bound)
            yield from _paths(node.body, bound | {node.name, node.position})
        case _:
            for child in tree.children_of(node):
                yield from _paths(child, bound)


def _sources(node: tree.Node, bound: frozenset[str]) -> Iterator[str]:
    match node:
        case tree.Name():
            if node.name not in bound:
                yield node.name
        case tree.ListFunction(function="first" | "filter"):
            yield from _sources(node.over, bound)
        case tree.ListFunction():
            yield from _sources(node.over, bound)
            yield from _sources(node.body, bound | {node.name, node.position})
        case _:
            for child in tree.children_of(node):
                yield from _sources(child, bound)


def _written(keys: Sequence[tree.Node]) -> Iterator[str]:
    """Yield the parts of a path up to the first computed one."""
    for key in keys:
        if not isinstance(key, tree.Literal):
            return
        yield str(key.value)
