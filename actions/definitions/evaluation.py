"""Evaluates a definition for one request: its records, the obstacles to it, its amount and its call.

Pure except for the `ask` function that is passed in. Values and computed arguments are evaluated when a rule reads
them, so that an earlier guard can refuse with a message before a later part fails. Any failure refuses the request: see
`Obstacle`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any, Final

from actions.definitions import arguments as declared
from actions.definitions.errors import ExpressionFailed
from actions.definitions.expression import Expression
from actions.definitions.parts import (
    AnswerRule,
    Argument,
    CallTemplate,
    Choosing,
    Definition,
    Lookup,
    Origin,
    Outcome,
    Refusal,
)
from actions.definitions.requirements import needed_for
from actions.definitions.template import readable
from actions.definitions.values import NoValue, as_text, money
from actions.errors import MerchantUnavailable
from actions.money import Money, format_amount, is_amount_in
from actions.schema import Problems
from supportbot.translation import in_locale

FAILED: Final = "definition_failed"
MAX_CHOICES: Final = 50
OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True)
class Identity:
    """The customer's identity from the signed token."""

    sub: str
    email: str = ""

    def as_record(self) -> dict[str, Any]:
        return {"sub": self.sub} | ({"email": self.email} if self.email else {})


@dataclass(frozen=True, slots=True)
class Asked:
    """One HTTP call below a connection's address, or a tool call. `body` is JSON text."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    tool: str = ""
    schema_hash: str = ""  # the tool's fingerprint when it was reviewed


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_names(self) -> dict[str, Any]:
        lowered = {name.lower(): value for name, value in self.headers.items()}
        return {"status": self.status, "body": self.body, "headers": lowered}


Ask = Callable[[Asked], Answer]


class Happened(StrEnum):
    YES = "yes"
    NO = "no"
    NEVER_SEEN = "never_seen"
    IN_PROGRESS = "in_progress"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """The reason why a request is forbidden. `words` are for the customer; "" if the definition has none, since it
    failed or no guard of its own refused: the caller has its own message for these codes. `where` tells the editor
    which guard, look-up or part of the document refused the request, and what went wrong.
    """

    code: str
    words: str = ""
    where: str = ""


class Names(Mapping[str, Any]):
    """The names of an evaluation; those in `computed` are evaluated once, when first read. `chosen` contains each
    argument that is chosen from a list, in the list's spelling; expressions cannot read it.
    """

    def __init__(
        self,
        given: Mapping[str, Any],
        computed: Mapping[str, Callable[[], Any]] | None = None,
        chosen: "Mapping[str, Chosen] | None" = None,
    ) -> None:
        self._given = dict(given)
        self._computed = dict(computed or {})
        self.chosen: Mapping[str, Chosen] = chosen if chosen is not None else {}

    def __getitem__(self, name: str) -> Any:
        if name in self._computed:
            self._given[name] = self._computed[name]()
            del self._computed[name]
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self._given, *self._computed])

    def __len__(self) -> int:
        return len(self._given) + len(self._computed)

    def with_names(self, given: Mapping[str, Any]) -> "Names":
        computed = {name: value for name, value in self._computed.items() if name not in given}
        return Names({**self._given, **given}, computed, self.chosen)


@dataclass(frozen=True, slots=True)
class Chosen:
    """The value of an argument that is chosen from a list, in the list's spelling, with the names of its entry. A value
    that is not in the list stays as it was given and has no entry; `failure` is the error if the list cannot be read.
    """

    value: str
    entry: Names | None = None
    is_ambiguous: bool = False  # it matches several entries except for their spelling, and none exactly
    failure: ExpressionFailed | None = None


@dataclass(frozen=True, slots=True)
class _Listed:
    """The entries of a list: by the form in which the argument accepts their values, then by their own spelling."""

    names: Names
    element: str  # the name of an entry
    entries: Mapping[str, Mapping[str, Any]]
    is_whole: bool  # whether all entries have a value that the argument accepts

    def chosen(self, argument: Argument, given: str) -> Chosen:
        """Return the entry that is spelled exactly as given, or else the only one that differs just in its spelling:
        in surrounding spaces or in the form of its accents.
        """
        spellings = self.entries.get(_canonical(argument, given), {})
        if given not in spellings and len(spellings) != 1:
            return Chosen(given, is_ambiguous=bool(spellings))
        value = given if given in spellings else next(iter(spellings))
        return Chosen(value, self.names.with_names({self.element: spellings[value]}))


@dataclass(frozen=True, slots=True)
class Choices:
    """The value and description of each record that can be chosen; `is_every` is false if the list also has others."""

    offered: Sequence[tuple[str, str]]
    is_every: bool


def names_of(definition: Definition, arguments: Mapping[str, Any], identity: Identity, now: datetime) -> Names:
    """Return the names known before any record is loaded; `now` is in the workspace's time zone."""
    seen = declared.seen(definition.shape(), arguments)
    given: dict[str, Any] = {"identity": identity.as_record(), "now": now, "today": now.date()}
    fixed = {
        one.name: _of_identity(one, given) for one in definition.arguments.values() if one.origin is Origin.IDENTITY
    }
    return Names({**given, "arguments": {**seen, **fixed}})


def _of_identity(argument: Argument, names: Mapping[str, Any]) -> Any:
    return argument.value.evaluate(names) if argument.value else names["identity"]["sub"]


def asked(call: CallTemplate, names: Mapping[str, Any]) -> Asked:
    """Return one call with its values filled in; raises ExpressionFailed, and then nothing may be sent."""
    headers = call.headers.headers(names) | ({call.key_header: str(names["key"])} if call.key_header else {})
    body = call.body.text(names) if call.body else None
    return Asked(
        call.method, call.path.render(names), call.query.query(names), headers, body, call.tool, call.schema_hash
    )


def look_up(definition: Definition, names: Names, ask: Ask, locale: str) -> Names | Obstacle:
    """Return the names with all records, or what forbids the request: a record that is missing or belongs to someone
    else. Arguments that are chosen from a list get the list's spelling, in look-ups, too.

    Raises MerchantUnavailable for an answer that is neither a record nor "there is none".
    """
    found = _with_records(definition.lookups, _as_listed(definition, names, ask, locale), ask, locale)
    return found if isinstance(found, Obstacle) else _with_computed(definition, found)


def choices_of(definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str) -> Choices | Obstacle:
    """Return the records that the customer can choose for an argument with `choose_from`. The customer's words cannot
    distinguish entries that differ only in spelling, so of these only one in the argument's canonical form is offered.
    Raises MerchantUnavailable.
    """
    choosing = _choosing(argument)
    found = _with_list(definition, argument, _as_listed(definition, names, ask, locale), ask, locale)
    if isinstance(found, Obstacle):
        return found
    words = in_locale(choosing.words, locale)
    try:
        listed = _listed(argument, found)
        entries = {value: listed.chosen(argument, value).entry for value in listed.entries}
        clear = [(value, entry) for value, entry in entries.items() if entry is not None]
        offered = [(value, words.words(entry, locale)) for value, entry in clear[:MAX_CHOICES]]
    except ExpressionFailed as error:
        return _failed("choose_from", error)
    return Choices(offered, listed.is_whole and len(offered) == len(entries))


def _as_listed(definition: Definition, names: Names, ask: Ask, locale: str, unread: Set[str] = frozenset()) -> Names:
    """Return the names with the list's spelling of each argument that is chosen from a list ("60 " for "60"), so that
    rules can compare it with the list, and look-ups, the call and the stored request use the value that the system
    knows. Each is looked up when it is first read; arguments in `unread` stay as they are.
    """
    given = names["arguments"]
    every = [one for one in definition.arguments.values() if one.choose_from is not None and one.name in given]
    finding = {
        one.name: partial(_chosen, definition, one, names, ask, locale, unread | {one.name})
        for one in every
        if one.name not in unread
    }
    chosen = Names({}, finding)
    values = {name: partial(_value_of, chosen, name) for name in finding}
    others = {name: value for name, value in given.items() if name not in finding}
    return Names({**names, "arguments": Names(others, values)}, chosen=chosen)


def _value_of(chosen: Mapping[str, Chosen], name: str) -> str:
    return chosen[name].value


def _chosen(
    definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str, unread: Set[str]
) -> Chosen:
    given: str = names["arguments"][argument.name]
    found = _with_list(definition, argument, _as_listed(definition, names, ask, locale, unread), ask, locale)
    if isinstance(found, Obstacle):  # the same look-up refuses the request later
        return Chosen(given)
    try:
        return _listed(argument, found).chosen(argument, given)
    except ExpressionFailed as error:
        return Chosen(given, failure=error)


def _with_list(definition: Definition, argument: Argument, names: Names, ask: Ask, locale: str) -> Names | Obstacle:
    """Return the names with the records that an argument's list reads."""
    return _with_records(needed_for(_choosing(argument), definition.lookups), names, ask, locale)


def _choosing(argument: Argument) -> Choosing:
    assert argument.choose_from is not None  # only called for such arguments
    return argument.choose_from


def _listed(argument: Argument, names: Names) -> _Listed:
    """Return the entries of an argument's list.

    An entry whose value cannot be evaluated, or does not fit the argument, cannot be chosen and is left out. Raises
    ExpressionFailed for anything but a list, and if no entry has a value: then the definition is wrong.
    """
    choosing = _choosing(argument)
    entries: dict[str, dict[str, Any]] = {}
    failed: ExpressionFailed | None = None
    for one in _list(choosing, names):
        try:
            spelled = as_text(choosing.value.evaluate(names.with_names({choosing.element: one})))
            value = _parsed(argument, spelled, choosing.value)
        except (ExpressionFailed, NoValue) as error:
            failed = error if isinstance(error, ExpressionFailed) else _at(choosing.value, error)
            continue
        entries.setdefault(value, {}).setdefault(spelled, one)
    if failed is not None and not entries:
        raise failed
    return _Listed(names, choosing.element, entries, failed is None)


def _at(rule: Expression, error: NoValue) -> ExpressionFailed:
    return ExpressionFailed(str(error), place=rule.text)


def _list(choosing: Choosing, names: Names) -> Sequence[Any]:
    found = choosing.list.evaluate(names)
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise ExpressionFailed("this is not a list", place=choosing.list.text)
    return found


def _with_records(lookups: Sequence[Lookup], names: Names, ask: Ask, locale: str) -> Names | Obstacle:
    """Return the names with the records of these look-ups, made in order; each may read the records before it."""
    for lookup in lookups:
        try:
            found = _records(lookup, names, ask, locale)
        except ExpressionFailed as error:
            return _failed(f"lookups.{lookup.name}", error)
        if isinstance(found, Obstacle):
            return found
        names = names.with_names({lookup.name: found})
    return names


def _records(lookup: Lookup, names: Names, ask: Ask, locale: str) -> Any:
    if lookup.for_each is None:
        return _record(lookup, names, ask, locale)
    elements = lookup.for_each.evaluate(names)
    if not isinstance(elements, Sequence) or isinstance(elements, str) or len(elements) > lookup.at_most:
        raise ExpressionFailed(f"this is not a list of at most {lookup.at_most}", place=lookup.for_each.text)
    records: list[Any] = []
    for element in elements:
        record = _record(lookup, names.with_names({lookup.element: element}), ask, locale)
        if isinstance(record, Obstacle):
            return record
        records.append(record)
    return records


def _record(lookup: Lookup, names: Names, ask: Ask, locale: str) -> Any:
    answer = ask(asked(lookup.call, names))
    if answer.status in lookup.absent:
        return _refused(lookup.otherwise, f"{lookup.name}_not_found", names, f"lookups.{lookup.name}", locale)
    if answer.status not in OK:
        raise MerchantUnavailable
    if lookup.owner is not None:
        owner = lookup.owner.evaluate(names.with_names({lookup.name: answer.body}))
        # Another customer's record is treated like one that does not exist.
        if not _is_same(owner, names["identity"]["sub"], lookup.owner):
            return _refused(lookup.otherwise, f"{lookup.name}_not_found", names, f"lookups.{lookup.name}.owner", locale)
    return answer.body


def _is_same(owner: Any, sub: str, rule: Expression) -> bool:
    try:
        return owner is not None and as_text(owner) == sub
    except NoValue as error:
        raise ExpressionFailed(str(error), place=rule.text) from error


def _with_computed(definition: Definition, names: Names) -> Names:
    """Return the names with the server's arguments and the named values, all unevaluated."""
    every = Names({}, chosen=names.chosen)
    of_server = [one for one in definition.arguments.values() if one.origin is Origin.SERVER]
    arguments = Names(names["arguments"], {one.name: partial(_of_server, one, every) for one in of_server})
    every._given = {**names._given, "arguments": arguments}
    every._computed = {name: partial(value.evaluate, every) for name, value in definition.values.items()}
    return every


def _of_server(argument: Argument, names: Names) -> Any:
    canonical = _canonical_of_server(argument, names)
    if canonical is None:
        raise KeyError(argument.name)  # optional and absent
    return declared.seen(argument.accepts, canonical)


def _canonical_of_server(argument: Argument, names: Names) -> Any:
    """Return a computed argument in canonical form; None for an optional one without a value."""
    rule = argument.value
    assert rule is not None  # read_arguments requires it
    value = rule.evaluate(names) if argument.is_required else rule.evaluate_if_present(names)
    if value is None and not argument.is_required:
        return None
    try:
        return _parsed(argument, declared.written(value), rule)
    except NoValue as error:
        raise _at(rule, error) from error


def _canonical(argument: Argument, listed: Any) -> Any:
    """Return the canonical form of a value that may be spelled as in its list."""
    return argument.accepts.parse(listed, argument.name, {})


def _parsed(argument: Argument, value: Any, rule: Expression) -> Any:
    """Return a value in canonical form; raises ExpressionFailed at the rule that it comes from if it does not fit."""
    problems: Problems = {}
    canonical = argument.accepts.parse(value, argument.name, problems)
    if problems:
        why = " ".join(message for messages in problems.values() for message in messages)
        raise ExpressionFailed(f"the value does not fit the type of {argument.name}: {why}", place=rule.text)
    return canonical


def first_obstacle(definition: Definition, names: Names, locale: str, *, is_undo: bool = False) -> Obstacle | None:
    """Return the first guard that fails, or the first argument whose value is ambiguous in its list or missing from its
    public list; otherwise None. In a request that undoes another one, nobody has chosen anything, so its value may be
    missing from the list.
    """
    for guard in definition.guards:
        where = f"guards.{guard.name}"
        try:
            if not guard.require.holds(names):
                return _refused(guard.refusal, guard.name, names, where, locale)
        except ExpressionFailed as error:
            return _failed(where, error)
    return _ambiguous(names) or (None if is_undo else _not_offered(definition, names))


def _ambiguous(names: Names) -> Obstacle | None:
    unclear = next((name for name, one in names.chosen.items() if one.is_ambiguous), None)
    return Obstacle("choice_not_offered", "", f"arguments.{unclear}.choose_from") if unclear is not None else None


def _not_offered(definition: Definition, names: Names) -> Obstacle | None:
    """Return an obstacle for the first value that is not in the public list that its argument is chosen from: nothing
    else proves that such a value names a record that anybody may name. Values that name no record need no such proof.
    """
    public = {lookup.name for lookup in definition.lookups if lookup.is_public}
    for name, chosen in names.chosen.items():
        argument = definition.arguments[name]
        if argument.names_no_record or not _choosing(argument).list.sources() & public:
            continue
        where = f"arguments.{name}.choose_from"
        if chosen.failure is not None:
            return _failed(where, chosen.failure)
        if chosen.entry is None:
            return Obstacle("choice_not_offered", "", where)
    return None


def complete_arguments(definition: Definition, parsed: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return all arguments in canonical form, including the server's and the identity's; those chosen from a list have
    the list's spelling. Raises ExpressionFailed.
    """
    complete = dict(parsed)
    for one in definition.arguments.values():
        if one.origin is Origin.SERVER:
            value = _canonical_of_server(one, names)
            complete |= {one.name: value} if value is not None else {}
        elif one.origin is Origin.IDENTITY or one.name in names.chosen:
            complete[one.name] = names["arguments"][one.name]
    return complete


def money_of(definition: Definition, names: Names) -> Money | None:
    """Return the amount that counts against limits; raises ExpressionFailed below zero or with too many decimals."""
    if definition.money is None:
        return None
    amount, currency = definition.money.amount.evaluate(names), definition.money.currency.evaluate(names)
    place = definition.money.amount.text
    if isinstance(amount, Money) and amount.currency != currency:
        raise ExpressionFailed(f"{amount.currency} is not {currency}", place=place)
    try:
        result = money(amount.amount if isinstance(amount, Money) else amount, currency)
    except NoValue as error:
        raise ExpressionFailed(str(error), place=place) from error
    if result.amount < 0 or not is_amount_in(f"{result.amount.normalize():f}", result.currency):
        raise ExpressionFailed("an amount must not be negative or have more decimals than its currency", place=place)
    return Money(Decimal(format_amount(result.amount, result.currency)), result.currency)


def subject_of(definition: Definition, names: Names) -> tuple[str, str]:
    """Return the kind and id of the action's subject."""
    assert definition.subject is not None  # a write has one
    value = definition.subject.id.evaluate(names)
    try:
        return definition.subject.kind, as_text(value)
    except NoValue as error:
        raise ExpressionFailed(str(error), place=definition.subject.id.text) from error


def needs_approval(definition: Definition, names: Names) -> bool:
    """Return whether the definition itself requires a person's approval; the workspace's policy may require more."""
    rule = definition.approval
    return rule is not None and (rule.when is None or rule.when.holds(names))


def happened(rule: AnswerRule | Outcome, answer: Answer, names: Names) -> Happened:
    """Return the outcome according to an answer. If a rule fails, the outcome is unclear."""
    answered = names.with_names(answer.as_names())
    readings = (
        (rule.happened, Happened.YES),
        (rule.did_not, Happened.NO),
        (rule.never_seen if isinstance(rule, Outcome) else None, Happened.NEVER_SEEN),
        (rule.in_progress if isinstance(rule, Outcome) else None, Happened.IN_PROGRESS),
    )
    found = {reading for condition, reading in readings if condition is not None and _holds(condition, answered)}
    # If several conditions hold, they contradict each other; if none holds, nothing is known.
    return found.pop() if len(found) == 1 else Happened.UNCLEAR


def _holds(condition: Expression, names: Names) -> bool:
    try:
        return condition.holds(names)
    except ExpressionFailed:
        return False


def reason_of(rule: AnswerRule, answer: Answer, names: Names) -> str:
    """Return the shop's own words about a refusal, or "" if there are none."""
    try:
        value = rule.reason.evaluate_if_present(names.with_names(answer.as_names())) if rule.reason else None
        return readable(value, "en") if isinstance(value, str) else ""
    except (ExpressionFailed, NoValue):
        return ""


def _refused(refusal: Refusal | None, code: str, names: Names, where: str, locale: str) -> Obstacle:
    if refusal is None:
        return Obstacle(code, "", where)
    try:
        return Obstacle(refusal.code, in_locale(refusal.words, locale).words(names, locale), where)
    except ExpressionFailed as error:
        return Obstacle(refusal.code, "", f"{where}.words: {error}")


def _failed(where: str, error: ExpressionFailed) -> Obstacle:
    return Obstacle(FAILED, "", f"{where}: {error}")
