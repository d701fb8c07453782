"""The arguments of a definition: how each is declared, and its value in expressions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext, gettext_noop

from actions.argument_json import Number
from actions.argument_types import (
    Amount,
    Choice,
    Count,
    Date,
    DecimalNumber,
    Field,
    Flag,
    Listing,
    Problems,
    Shape,
    Text,
)
from actions.definitions.errors import ExpressionFailed
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.values import as_json
from actions.definitions.parsed_parts import Argument, Origin, RecordChoice, Texts
from actions.definitions.parsing import patterns
from actions.definitions.parsing.field_reader import ARGUMENTS, CIRCULAR, ObjectReader, Scope, circular

MAX_ARGUMENTS: Final = 30
NAME: Final = r"[a-z][a-z0-9_]{0,39}"
_EXAMPLE: Final = "order_id"
_AWAITED: Final = gettext_noop(
    "This reads {names}, which no look-up has found yet. Add the look-up, or correct the name."
)
_TYPES: Final = ("string", "choice", "integer", "number", "money", "flag", "date", "list", "object")
_MAX_DEPTH: Final = 4
_SOME_MOMENT: Final = datetime(2026, 5, 31, 12, tzinfo=UTC)
_LARGEST: Final = 1_000_000
_LARGEST_WHOLE: Final = 10**15 - 1  # JSON readers keep integers of this size exactly


def declared_names(given: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of all arguments of a document, and of those known before any record is loaded."""
    given = given if isinstance(given, Mapping) else {}
    specs = {name: spec for name, spec in given.items() if isinstance(spec, Mapping)}
    of_server = {name for name, spec in specs.items() if spec.get("from") == Origin.SERVER.value}
    return frozenset(map(str, given)), frozenset(map(str, given.keys() - of_server))


def read_arguments(document: ObjectReader, scope: Scope, locales: Sequence[str]) -> dict[str, Argument]:
    """Return the declared arguments. Computed arguments may read records and other arguments, in any order."""
    arguments: dict[str, Argument] = {}
    declared, values = document.raw("arguments"), document.raw("values")
    later = frozenset(map(str, values)) if isinstance(values, Mapping) else frozenset()
    known = scope.arguments | (frozenset(map(str, declared)) if isinstance(declared, Mapping) else frozenset())
    for name, spec in document.named("arguments", MAX_ARGUMENTS, NAME, _EXAMPLE):
        if name == "money":  # a request stores its amount under this name
            spec.findings.add(
                spec.at, gettext("Choose a different name: “money” already stands for the action's amount.")
            )
        origin = Origin(spec.one_of("from", [one.value for one in Origin], default=Origin.CUSTOMER.value))
        is_open = origin in (Origin.CUSTOMER, Origin.MODEL)
        labels = _Labels()
        accepts = _field(spec, labels, describe=is_open)
        earliest, latest = _bounds(spec) if isinstance(accepts, Date) else (None, None)
        choosing = _choosing(spec, Scope(scope.names, scope.arguments), locales)
        if choosing and not (origin is Origin.CUSTOMER and isinstance(accepts, Text)):
            spec.add(
                "choose_from",
                gettext("Only a text argument that the customer provides can be chosen from their records."),
            )
        label = spec.texts("label", most=100, needed=False)
        is_required = spec.flag("required", default=True)
        names_no_record = spec.flag("names_no_record")
        value = _value(spec, origin, Scope(scope.names, known, later=later))
        spec.close()
        arguments[name] = Argument(
            name, accepts, origin, is_required, value, labels.options.pop("", {}), label, names_no_record,
            labels.fields, labels.options, earliest, latest, choosing,
        )  # fmt: skip
    for name in circular({one.name: _read_by(one, known) for one in arguments.values() if one.origin is Origin.SERVER}):
        document.findings.add(f"arguments.{name}.value", gettext(CIRCULAR))
    return arguments


def _choosing(spec: ObjectReader, scope: Scope, locales: Sequence[str]) -> RecordChoice | None:
    inner = spec.object("choose_from")
    if inner is None:
        return None
    records = inner.expression("list", scope, needed=True, awaits=gettext(_AWAITED))
    element = inner.text("as", pattern=NAME, needed=True, example="loan")
    entry = scope.with_names(element) if element else scope
    value = inner.expression("value", entry, needed=True, awaits=gettext(_AWAITED))
    words = inner.words("words", entry, locales=locales)
    inner.close()
    return RecordChoice(records, element, value, words) if records and value and words else None


def _value(spec: ObjectReader, origin: Origin, scope: Scope) -> Expression | None:
    """Return the expression that computes an argument; None if the customer or the model provides it."""
    value = None
    if origin is Origin.SERVER:
        value = spec.expression("value", scope, needed=True, awaits=gettext(_AWAITED))
    elif origin is Origin.IDENTITY:
        value = spec.expression("value", Scope(frozenset({"identity"}), frozenset()))
    elif spec.has("value"):
        spec.add("value", gettext('Only an argument with "from": "server" or "identity" has a value.'))
    spec.raw("value")
    return value


def _bounds(spec: ObjectReader) -> tuple[Expression | None, Expression | None]:
    """Return the first and the last day of an argument that is a date."""
    scope = Scope(frozenset({"today", "now"}), frozenset())
    bounds = (spec.expression("minimum", scope), spec.expression("maximum", scope))
    for name, bound in zip(("minimum", "maximum"), bounds, strict=True):
        if bound is not None and not _is_day(bound):
            spec.add(name, gettext("Write a date, such as today, today + days(30) or date('2026-12-31')."))
    return bounds


def _is_day(bound: Expression) -> bool:
    try:
        value = bound.evaluate({"today": _SOME_MOMENT.date(), "now": _SOME_MOMENT})
    except ExpressionFailed:
        return False
    return isinstance(value, date) and not isinstance(value, datetime)


def _read_by(argument: Argument, known: frozenset[str]) -> frozenset[str]:
    """Return the arguments that a computed argument reads; reading them as a whole counts as reading each."""
    paths = argument.value.paths() if argument.value else frozenset()
    read = [path for path in paths if path[0] == ARGUMENTS]
    return known if any(len(path) == 1 for path in read) else frozenset(path[1] for path in read)


@dataclass
class _Labels:
    """The labels inside an argument, by the path of the field: labels of its fields and of its options."""

    fields: dict[str, Texts] = field(default_factory=dict)
    options: dict[str, dict[str, Texts]] = field(default_factory=dict)


def _field(spec: ObjectReader, labels: _Labels, *, describe: bool, path: str = "", depth: int = 0) -> Field:
    kind = spec.one_of("type", _TYPES, needed=True, default="string")
    description = spec.text("description", most=500, needed=describe)
    match kind:
        case "choice":
            return Choice(description, _options(spec, labels, path))
        case "integer":
            least = spec.whole("minimum", -_LARGEST_WHOLE, _LARGEST_WHOLE, 0)
            return Count(description, spec.whole("maximum", least, _LARGEST_WHOLE, max(least, _LARGEST)), least)
        case "number":
            lowest, highest = spec.decimal("minimum"), spec.decimal("maximum")
            return DecimalNumber(description, lowest or _lowest(lowest), highest if highest is not None else _HIGHEST)
        case "money":
            return Amount(description)
        case "flag":
            return Flag(description)
        case "date":
            return Date(description)
        case "list":
            return _list(spec, description, labels, path, depth)
        case "object":
            return _object(spec, description, labels, path, depth)
    return _text(spec, description)


_HIGHEST: Final = Decimal(1_000_000_000)


def _lowest(given: Decimal | None) -> Decimal:
    return -_HIGHEST if given is None else given


def _text(spec: ObjectReader, description: str) -> Text:
    pattern = spec.text("pattern", most=patterns.MAX_CHARACTERS)
    problem = patterns.problem_of(pattern) if pattern else ""
    if problem:
        spec.add("pattern", problem)
        pattern = ""
    most = patterns.MAX_TEXT if pattern else 4_000
    length = spec.whole("max_length", 1, most, min(most, 200))
    example = spec.text("example", most=100)
    return Text(description, length, pattern, example, spec.flag("may_be_empty"))


def _options(spec: ObjectReader, labels: _Labels, path: str) -> tuple[str, ...]:
    values: list[str] = []
    for option in spec.objects("options", 50):
        value = option.text("value", most=100, needed=True)
        if value in values:
            option.add("value", gettext("This option is given twice."))
        if value:
            values.append(value)
            if label := option.texts("label", most=100, needed=False):
                labels.options.setdefault(path, {})[value] = label
        option.close()
    if not values and not spec.has("options"):
        spec.lacks("options")
    elif not values:
        spec.add(
            "options", gettext('Write at least one option: [{"value": "damaged", "label": {"en": "It is damaged"}}].')
        )
    return tuple(values)


def _list(spec: ObjectReader, description: str, labels: _Labels, path: str, depth: int) -> Listing:
    least = spec.whole("min_items", 0, 100, 1)
    most = spec.whole("max_items", max(1, least), 100, max(20, least))
    of = spec.object("of", needed=True)
    return Listing(description, _inner(of, spec, "of", labels, path, depth) if of else Text(""), most, least)


def _object(spec: ObjectReader, description: str, labels: _Labels, path: str, depth: int) -> Shape:
    required: dict[str, Field] = {}
    optional: dict[str, Field] = {}
    for name, inner in spec.named("fields", MAX_ARGUMENTS, r"[A-Za-z_][A-Za-z0-9_]{0,39}", "postal_code"):
        fields = required if inner.flag("required", default=True) else optional
        own = f"{path}.{name}".lstrip(".")
        if label := inner.texts("label", most=100, needed=False):
            labels.fields[own] = label
        fields[name] = _inner(inner, spec, "fields", labels, own, depth)
    if not spec.has("fields"):
        spec.lacks("fields")
    return Shape(required, optional, description)


def _inner(inner: ObjectReader, outer: ObjectReader, name: str, labels: _Labels, path: str, depth: int) -> Field:
    if depth + 1 >= _MAX_DEPTH:
        text = gettext("Lists and objects can be nested at most {most} levels deep.")
        outer.add(name, text.format(most=_MAX_DEPTH))
        return Text("")
    made = _field(inner, labels, describe=False, path=path, depth=depth + 1)
    inner.close()
    return made


def seen(accepts: Field, canonical: Any) -> Any:
    """Return a parsed argument as expressions see it: amounts and numbers as decimals, days as dates."""
    match accepts:
        case Amount() | DecimalNumber():
            return Decimal(canonical)
        case Count():
            return Decimal(canonical)
        case Date():
            return date.fromisoformat(canonical)
        case Listing():
            return [seen(accepts.of, entry) for entry in canonical]
        case Shape():
            fields: Mapping[str, Field] = {**accepts.required, **accepts.optional}
            return {name: seen(fields[name], entry) for name, entry in canonical.items()}
    return canonical


def written(value: Any) -> Any:
    """Return a computed value in the form that `Field.parse` accepts, so that its type is also checked."""
    return _numbers(as_json(value))


def _numbers(value: Any) -> Any:
    match value:
        case bool():
            return value
        case int() | Decimal():
            return Number(str(value))
        case dict():
            return {name: _numbers(item) for name, item in value.items()}
        case list():
            return [_numbers(item) for item in value]
    return value


def parsed(argument: Argument, value: Any, rule: Expression) -> Any:
    """Return a value in canonical form; raises ExpressionFailed with its rule if the value does not fit its type."""
    problems: Problems = {}
    canonical = argument.accepts.parse(value, argument.name, problems)
    if problems:
        why = " ".join(message for messages in problems.values() for message in messages)
        raise ExpressionFailed(
            gettext_noop("the value does not match the type of {argument}: {why}"),
            place=rule.text,
            argument=argument.name,
            why=why,
        )
    return canonical
