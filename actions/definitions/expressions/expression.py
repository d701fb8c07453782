"""The small language of definitions: guards, amounts, owners and conditions. Pure and bounded. An expression sees only
the names it is given, changes nothing, and stops after a limited number of steps. The reference, with the grammar, is
docs/definitions.md.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NoReturn

from django.utils.translation import gettext_noop

from actions.deferred_text import DeferredText
from actions.definitions.errors import ExpressionError, ExpressionFailed, MissingPath
from actions.definitions.expressions import parser as tree
from actions.definitions.expressions.functions import a_list, a_number, a_text, call, total
from actions.definitions.expressions.type_checks import Samples, check_types
from actions.definitions.expressions.values import (
    NO_CONDITION,
    NoValue,
    Span,
    Spend,
    add,
    divide,
    equal,
    kind_of,
    less,
    multiply,
    value_of,
)  # fmt: skip
from actions.money import Money

MAX_STEPS: Final = 10_000
_ARITHMETIC: Final = re.compile(r"[0-9+\-*/(). ]{1,200}", re.ASCII)
_OF_A_CONDITION: Final = frozenset({"all", "any", "count", "filter", "first"})  # functions over a list
_PLACE: Final = 120  # characters of an expression that an error shows
_ARITHMETIC_NODES: Final = (tree.Chain, tree.Negative, tree.Literal)
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
        try:
            return _Evaluation(self.text, names, spend or Spend(MAX_STEPS)).value(self._tree)
        except RecursionError as error:  # names may be computed by other expressions
            raise ExpressionFailed(
                gettext_noop("it depends on too many other values"), place=self.text[:_PLACE]
            ) from error

    def evaluate_if_present(self, names: Mapping[str, Any], spend: Spend | None = None) -> Any:
        """Return the value, or None if its path does not exist."""
        return _Evaluation(self.text, names, spend or Spend(MAX_STEPS)).present(self._tree)

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
        for node in _nodes(self._tree):
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
        each = (node for node in _nodes(self._tree) if isinstance(node, tree.ListFunction))
        return frozenset(name for node in each for name in (node.name, node.position) if name)


def compile_expression(text: str) -> Expression:
    """Return the compiled expression; raises ExpressionError with the position of the first mistake."""
    if not text.strip():
        raise ExpressionError(gettext_noop("Write an expression, such as order.status == 'paid'."), 0)
    return Expression(text, tree.parse(text))


class _Evaluation:
    """One evaluation: the visible names and the remaining steps."""

    def __init__(self, text: str, names: Mapping[str, Any], spend: Spend) -> None:
        self._text = text
        self._names = names
        self._spend = spend

    def value(self, node: tree.Node) -> Any:
        try:
            self._spend(1)
            return value_of(self._value(node))
        except NoValue as error:
            raise ExpressionFailed(error.why, place=self._place(node), position=node.start) from error

    def _value(self, node: tree.Node) -> Any:
        match node:
            case tree.Literal():
                return node.value
            case tree.Name():
                return self._named(node)
            case tree.Path():
                return self._path(node)
            case tree.ListOf():
                return [self.value(item) for item in node.items]
            case tree.Chain():
                return self._chain(node)
            case tree.Compare():
                return self._compared(node)
            case tree.Logical():
                stops_at = node.operator == "or"
                return next((stops_at for part in node.operands if self._condition(part) is stops_at), not stops_at)
            case tree.Not():
                return not self._condition(node.operand)
            case tree.Negative():
                return multiply(Decimal(-1), self.value(node.operand))
            case tree.Conditional():
                return self.value(node.then if self._condition(node.condition) else node.otherwise)
            case tree.ListFunction():
                return self._each(node)
            case tree.CallOf(function="has"):
                return self.present(node.arguments[0]) is not None
            case tree.CallOf(function="calculate"):
                return self._calculated(self.value(node.arguments[0]))
            case tree.CallOf():
                arguments = [self.value(argument) for argument in node.arguments]
                return call(node.function, arguments, now=self._now, spend=self._spend)
        raise NoValue(gettext_noop("this cannot be evaluated"))

    def _named(self, node: tree.Name) -> Any:
        if node.name not in self._names:
            self._missing(node, DeferredText(gettext_noop("there is no {name}"), name=node.name))
        return self._names[node.name]

    def _path(self, node: tree.Path) -> Any:
        value = self.value(node.of)
        for key, end in zip(node.keys, node.ends, strict=True):
            self._spend(1)
            value = value_of(self._part(value, self.value(key), node, end))
        return value

    def _part(self, of: Any, key: Any, path: tree.Path, end: int) -> Any:
        match of, key:
            case Mapping(), str():
                if key not in of:
                    self._missing(
                        path, DeferredText(gettext_noop("there is no field {name}"), name=repr(key[:60])), end
                    )
                return of[key]
            case list() | tuple(), Decimal():
                place = int(key) if key == key.to_integral_value() else -1
                if not 0 <= place < len(of):
                    why = gettext_noop("a list of {number} has no element {index}")
                    self._missing(path, DeferredText(why, number=len(of), index=str(key)), end)
                return of[place]
            case Money(), ("amount" | "currency"):
                return getattr(of, key)
            case None, _:
                self._missing(path, DeferredText(gettext_noop("null has no parts")), end)
        raise NoValue(gettext_noop("{kind} cannot be indexed with {key}"), kind=kind_of(of), key=kind_of(key))

    def _chain(self, node: tree.Chain) -> Any:
        result = self.value(node.first)
        for operator, part in node.rest:
            self._spend(1)
            value = self.value(part)
            match operator:
                case _ if text_part := self._text_part(operator, (node.first, result), (part, value)):
                    raise NoValue(text_part)
                case "+" | "-":
                    result = add(result, value, 1 if operator == "+" else -1)
                case "*":
                    result = multiply(result, value)
                case _:
                    result = divide(result, value)
        return result

    def _text_part(
        self, operator: str, left: tuple[tree.Node, Any], right: tuple[tree.Node, Any]
    ) -> DeferredText | None:
        """Return an error with a hint if a calculation uses text, otherwise None."""
        for (node, value), (_, other) in ((left, right), (right, left)):
            if not isinstance(value, str) or (operator == "+" and isinstance(other, str)):
                continue
            place = self._place(node)
            meant: str = f"number({place})"
            if isinstance(other, date | Span):
                meant = DeferredText(gettext_noop("{one} or {other}"), one=f"date({place})", other=f"time({place})")
            why = gettext_noop("{operator} does not accept text, but {place} is text; write {meant}")
            return DeferredText(why, operator=operator, place=place, meant=meant)
        return None

    def _compared(self, node: tree.Compare) -> bool:
        left, right = self.value(node.left), self.value(node.right)
        match node.operator:
            case "==":
                return equal(left, right, self._spend)
            case "!=":
                return not equal(left, right, self._spend)
            case "<":
                return less(left, right)
            case ">":
                return less(right, left)
            case "<=":
                return not less(right, left)
            case ">=":
                return not less(left, right)
            case "in":
                return self._is_in(left, right)
        return not self._is_in(left, right)

    def _is_in(self, value: Any, among: Any) -> bool:
        if isinstance(among, str):
            return a_text(value, self._spend) in a_text(among, self._spend)
        if isinstance(among, Mapping):
            return a_text(value, self._spend) in among
        return any(equal(value, item, self._spend) for item in a_list(among))

    def _condition(self, node: tree.Node) -> bool:
        value = self.value(node)
        if not isinstance(value, bool):
            raise ExpressionFailed(NO_CONDITION, kind=kind_of(value), place=self._place(node), position=node.start)
        return value

    def _each(self, node: tree.ListFunction) -> Any:
        elements = a_list(self.value(node.over))
        match node.function:
            case "all":
                return all(condition for _, condition in self._conditions(node, elements))
            case "any":
                return any(condition for _, condition in self._conditions(node, elements))
            case "count":
                return Decimal(sum(condition for _, condition in self._conditions(node, elements)))
            case "filter":
                return [element for element, condition in self._conditions(node, elements) if condition]
            case "first":
                for element, condition in self._conditions(node, elements):
                    if condition:
                        return element
                self._missing(node, DeferredText(gettext_noop("no element of the list matches")))
            case "map":
                return [value for _, value in self._values(node, elements)]
        return total([value for _, value in self._values(node, elements)], self._spend)

    def _conditions(self, node: tree.ListFunction, elements: Any) -> Iterator[tuple[Any, bool]]:
        for element, value in self._values(node, elements):
            if not isinstance(value, bool):
                raise NoValue(
                    gettext_noop("{function} needs a condition, but this is {kind}"),
                    function=node.function,
                    kind=kind_of(value),
                )
            yield element, value

    def _values(self, node: tree.ListFunction, elements: Any) -> Iterator[tuple[Any, Any]]:
        for place, element in enumerate(elements):
            bound = {node.name: element} | ({node.position: place} if node.position else {})
            inner = _Evaluation(self._text, _Bound(self._names, bound), self._spend)
            yield element, inner.value(node.body)

    def present(self, node: tree.Node) -> Any:
        """Return the value, or None if the path itself does not exist. Paths inside it must exist: otherwise, a
        misspelt field would make "there is none" true.
        """
        try:
            return self.value(node)
        except MissingPath as error:
            if error.node is node or (isinstance(node, tree.Path) and error.node is node.of):
                return None
            raise

    def _calculated(self, text: Any) -> Decimal:
        """Return the value of a calculation in a text, such as "(2 + 3) * 4.50"."""
        if not isinstance(text, str) or not _ARITHMETIC.fullmatch(text):
            raise NoValue(
                gettext_noop("calculate accepts only digits, spaces and + - * / ( ) . and at most 200 characters")
            )
        unreadable = gettext_noop("this calculation cannot be read")
        try:
            inner = compile_expression(text)
        except ExpressionError as error:
            raise NoValue(unreadable) from error
        if not all(isinstance(node, _ARITHMETIC_NODES) for node in _nodes(inner._tree)):
            raise NoValue(unreadable)
        return a_number(inner.evaluate({}, self._spend))

    def _now(self) -> datetime:
        now = self._names.get("now")
        if not isinstance(now, datetime) or now.tzinfo is None:
            raise NoValue(gettext_noop("the time is not known here"))
        return now

    def _missing(self, node: tree.Node, why: DeferredText, end: int = 0) -> NoReturn:
        raise MissingPath(why, place=self._place(node, end), position=node.start, node=node)

    def _place(self, node: tree.Node, end: int = 0) -> str:
        text = " ".join(self._text[node.start : end or node.end].split())
        return text if len(text) <= _PLACE else f"{text[: _PLACE - 1]}…"


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
            for child in _children(node):
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


class _Bound(Mapping[str, Any]):
    """Names plus a few that take precedence, without a copy for each element of a list."""

    def __init__(self, names: Mapping[str, Any], bound: Mapping[str, Any]) -> None:
        self._all, self._bound = names, bound

    def __getitem__(self, name: str) -> Any:
        return self._bound[name] if name in self._bound else self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**self._all, **self._bound})

    def __len__(self) -> int:
        return len({*self._all, *self._bound})

    def __contains__(self, name: object) -> bool:
        return name in self._bound or name in self._all


def _children(node: tree.Node) -> Iterator[tree.Node]:
    for part in fields(node):
        value = getattr(node, part.name)
        if isinstance(value, tree.Node):
            yield value
        elif isinstance(value, tuple):
            parts = (item[1] if isinstance(item, tuple) else item for item in value)
            yield from (part for part in parts if isinstance(part, tree.Node))


def _nodes(node: tree.Node) -> Iterator[tree.Node]:
    yield node
    for child in _children(node):
        yield from _nodes(child)


def _mentions(node: tree.Node, name: str) -> Iterator[tuple[int, int]]:
    match node:
        case tree.Name() if node.name == name:
            yield node.start, node.end
        case tree.ListFunction() if name in (node.name, node.position):  # bound inside
            yield from _mentions(node.over, name)
        case _:
            for child in _children(node):
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
            for child in _children(node):
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
            for child in _children(node):
                yield from _sources(child, bound)


def _written(keys: Sequence[tree.Node]) -> Iterator[str]:
    """Yield the parts of a path up to the first computed one."""
    for key in keys:
        if not isinstance(key, tree.Literal):
            return
        yield str(key.value)
