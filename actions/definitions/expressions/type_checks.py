"""Finding mistakes in the types of an expression before it is evaluated, as in `today + 14`. Pure.

A part whose type is known before any record is read (a literal, `today`, an argument, the value of a function) is
represented by a sample of its type. The operations themselves say which samples they refuse. Fields of records and
answers have unknown types, so any operation on them may be right. The mistakes found here are operations that fail
whenever they are evaluated, even if the expression never evaluates some of them.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from actions.argument_types import Amount, Choice, Count, Date, DecimalNumber, Field, Flag, Listing, Text
from actions.definitions.errors import ExpressionError
from actions.definitions.expressions import parser as tree
from actions.definitions.expressions.functions import a_list, a_number, a_text, call
from actions.definitions.expressions.values import (
    NO_CONDITION,
    NoValue,
    Span,
    Spend,
    add,
    divide,
    kind_of,
    less,
    multiply,
    require_same_kind,
)
from actions.money import Money

UNKNOWN: Final = object()
_STEPS: Final = 10_000
_NUMBER: Final = Decimal(1)
_DAY: Final = date(2000, 1, 1)
_TIME: Final = datetime(2000, 1, 1, tzinfo=UTC)
_TEXT: Final = _TIME.isoformat()  # a text that can also be read as a date or a time
_MONEY: Final = Money(Decimal(1), "EUR")
Samples = Mapping[tuple[str, ...], Any]
_SAMPLES: Final[Samples] = {
    ("today",): _DAY, ("now",): _TIME, ("status",): _NUMBER, ("key",): _TEXT, ("money",): _MONEY,
    ("identity", "sub"): _TEXT,
}  # fmt: skip
# Functions that are called with samples; their result has the type of the real value.
_CALLED: Final = frozenset({
    "count", "len", "lower", "round", "abs", "days_between", "years_between", "date", "days", "hours",
    "text", "keys", "values",
})  # fmt: skip
_RESULTS: Final[Mapping[str, Any]] = {
    "count": _NUMBER, "distinct": [], "len": _NUMBER, "lower": _TEXT, "days_between": _NUMBER, "date": _DAY,
    "years_between": _NUMBER, "time": _TIME, "days": Span(timedelta(days=1)), "hours": Span(timedelta(days=1)),
    "text": _TEXT, "keys": [], "values": [], "has": True, "calculate": _NUMBER, "number": _NUMBER, "money": _MONEY,
    "all": True, "any": True, "filter": [], "map": [],
}  # fmt: skip
_OF_A_CONDITION: Final = frozenset({"all", "any", "count", "filter", "first"})


def samples_of(arguments: Mapping[str, Field]) -> Samples:
    """Return a sample of each argument with a single type, by its path."""
    found = {("arguments", name): _sample_of(accepts) for name, accepts in arguments.items()}
    return {path: sample for path, sample in found.items() if sample is not UNKNOWN}


def _sample_of(accepts: Field) -> Any:
    match accepts:
        case Amount() | DecimalNumber() | Count():
            return _NUMBER
        case Date():
            return _DAY
        case Flag():
            return True
        case Text() | Choice():
            return _TEXT
        case Listing():
            return []
    return UNKNOWN


def check_types(node: tree.Node, samples: Samples, *, is_condition: bool = False) -> None:
    """Raise ExpressionError for the first operation that fails whenever it is evaluated."""
    types = _Types({**_SAMPLES, **samples}, frozenset())
    types.condition(node) if is_condition else types.of(node)


class _Types:
    """The known types, and the names that a function over a list has bound."""

    def __init__(self, samples: Samples, bound: frozenset[str]) -> None:
        self._samples = samples
        self._bound = bound

    def of(self, node: tree.Node) -> Any:
        """Return a sample of the value's type, or UNKNOWN."""
        try:
            return self._of(node)
        except NoValue as error:
            raise ExpressionError(error.why, node.start) from error

    def condition(self, node: tree.Node) -> None:
        value = self.of(node)
        if value is not UNKNOWN and not isinstance(value, bool):
            raise ExpressionError(NO_CONDITION, node.start, kind=kind_of(value))

    def _of(self, node: tree.Node) -> Any:
        match node:
            case tree.Literal():
                return self._literal(node.value)
            case tree.Name() | tree.Path():
                return self._named(node)
            case tree.ListOf():
                return [self.of(item) for item in node.items]
            case tree.Chain():
                return self._chain(node)
            case tree.Compare():
                return self._compared(node.operator, self.of(node.left), self.of(node.right))
            case tree.Logical() | tree.Not():
                for part in node.operands if isinstance(node, tree.Logical) else (node.operand,):
                    self.condition(part)
                return True
            case tree.Negative():
                value = self.of(node.operand)
                return value if value is UNKNOWN else multiply(_NUMBER, value)
            case tree.Conditional():
                self.condition(node.condition)
                one, other = self.of(node.then), self.of(node.otherwise)
                is_known = one is not UNKNOWN and other is not UNKNOWN and kind_of(one) == kind_of(other)
                return one if is_known else UNKNOWN
            case tree.ListFunction():
                return self._each(node)
            case tree.CallOf():
                return self._called(node.function, [self.of(argument) for argument in node.arguments])
        return UNKNOWN

    def _literal(self, value: Any) -> Any:
        return {Decimal: _NUMBER, str: _TEXT}.get(type(value), value)

    def _named(self, node: tree.Name | tree.Path) -> Any:
        if isinstance(node, tree.Name):
            return UNKNOWN if node.name in self._bound else self._samples.get((node.name,), UNKNOWN)
        for key in node.keys:
            self.of(key)
        if not isinstance(node.of, tree.Name):
            self.of(node.of)
        elif node.of.name not in self._bound and all(isinstance(key, tree.Literal) for key in node.keys):
            keys = tuple(str(key.value) for key in node.keys if isinstance(key, tree.Literal))
            return self._samples.get((node.of.name, *keys), UNKNOWN)
        return UNKNOWN

    def _chain(self, node: tree.Chain) -> Any:
        result = self.of(node.first)
        for operator, part in node.rest:
            value = self.of(part)
            if result is UNKNOWN or value is UNKNOWN:
                result = UNKNOWN
            elif operator in "+-":
                result = add(result, value, 1 if operator == "+" else -1)
            else:
                result = multiply(result, value) if operator == "*" else divide(result, value)
            result = {Decimal: _NUMBER, Span: Span(timedelta(days=1))}.get(type(result), result)  # not 0: a divisor
        return result

    def _compared(self, operator: str, left: Any, right: Any) -> bool:
        match operator:
            case "in" | "not in":
                self._among(left, right)
            case "==" | "!=":
                self._same(left, right)
            case _:
                for known in (one for one in (left, right) if one is not UNKNOWN):
                    self._same(left, right)
                    less(known, known)
        return True

    def _same(self, left: Any, right: Any) -> None:
        if UNKNOWN not in (left, right) and left is not None and right is not None:
            require_same_kind(left, right)

    def _among(self, value: Any, among: Any) -> None:
        if among is UNKNOWN:
            return
        if not isinstance(among, str):
            # Comparing stops at the first equal item, so only the first item is always compared.
            self._same(value, next((item for item in a_list(among) if item is not None), None))
        elif value is not UNKNOWN:
            a_text(value, Spend(_STEPS))

    def _each(self, node: tree.ListFunction) -> Any:
        over = self.of(node.over)
        if over is not UNKNOWN:
            a_list(over)
        inner = _Types(self._samples, self._bound | {node.name, node.position})
        inner.condition(node.body) if node.function in _OF_A_CONDITION else inner.of(node.body)
        return _RESULTS.get(node.function, UNKNOWN)

    def _called(self, function: str, given: Sequence[Any]) -> Any:
        if UNKNOWN not in given:
            self._check_call(function, given)
        if function in ("round", "abs"):
            return given[0]
        return _RESULTS.get(function, UNKNOWN)

    def _check_call(self, function: str, given: Sequence[Any]) -> None:
        if function in _CALLED or (function in ("min", "max") and len(given) > 1):
            call(function, given, now=lambda: _TIME, spend=Spend(_STEPS))
        elif function in ("sum", "min", "max", "distinct"):
            a_list(given[0])
        elif function == "number" and not isinstance(given[0], str):
            a_number(given[0])
