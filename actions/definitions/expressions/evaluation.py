"""Evaluating the tree of an expression. Bounded: it stops after a limited number of steps."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final, NoReturn

from django.utils.translation import gettext_noop

from actions.deferred_text import DeferredText
from actions.definitions.errors import ExpressionError, ExpressionFailed, MissingPath
from actions.definitions.expressions import parser as tree
from actions.definitions.expressions.functions import a_list, a_number, a_text, call, total
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
_PLACE: Final = 120  # characters of an expression that an error shows
_ARITHMETIC_NODES: Final = (tree.Chain, tree.Negative, tree.Literal)


def evaluate(text: str, node: tree.Node, names: Mapping[str, Any], spend: Spend | None = None) -> Any:
    """Return the value of a tree, which was parsed from the text. Raises ExpressionFailed."""
    try:
        return _Evaluation(text, names, spend or Spend(MAX_STEPS)).value(node)
    except RecursionError as error:  # names may be computed by other expressions
        raise ExpressionFailed(gettext_noop("it depends on too many other values"), place=text[:_PLACE]) from error


def evaluate_if_present(text: str, node: tree.Node, names: Mapping[str, Any], spend: Spend | None = None) -> Any:
    """Return the value of a tree, or None if its path does not exist. Raises ExpressionFailed."""
    return _Evaluation(text, names, spend or Spend(MAX_STEPS)).present(node)


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
                        path, DeferredText(gettext_noop("there is no field “{name}”"), name=repr(key[:60])[1:-1]), end
                    )
                return of[key]
            case list() | tuple(), Decimal():
                place = int(key) if key == key.to_integral_value() else -1
                if not 0 <= place < len(of):
                    why = gettext_noop("a list of length {number} has no element {index}")
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
            calculation = tree.parse(text)
        except ExpressionError as error:
            raise NoValue(unreadable) from error
        if not all(isinstance(node, _ARITHMETIC_NODES) for node in tree.nodes_of(calculation)):
            raise NoValue(unreadable)
        return a_number(evaluate(text, calculation, {}, self._spend))

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
