"""Evaluating a definition for one request: its records, the obstacles to it, its amount and its call.

Pure except for the `ask` function that is passed in. Values and computed arguments are evaluated when a rule reads
them, so that an earlier guard can refuse with a message before a later part fails. Any failure refuses the request: see
`Obstacle`.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import partial
from typing import Any

from django.utils.translation import gettext_noop

from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation_context import Answer, Ask, Identity, Names, Obstacle, failed
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.template import readable
from actions.definitions.expressions.values import NoValue, as_text, money
from actions.definitions.parsed_parts import AnswerRule, Argument, Definition, Origin, Outcome
from actions.definitions.parsing import arguments as declared
from actions.definitions.record_lists import ambiguous, as_listed, not_offered
from actions.definitions.record_lookups import refused, with_records
from actions.money import Money, format_amount, is_amount_in


class Happened(StrEnum):
    YES = "yes"
    NO = "no"
    NEVER_SEEN = "never_seen"
    IN_PROGRESS = "in_progress"
    UNCLEAR = "unclear"


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


def look_up(definition: Definition, names: Names, ask: Ask, locale: str) -> Names | Obstacle:
    """Return the names with all records, or what forbids the request: a record that is missing or belongs to someone
    else. Arguments that are chosen from a list get the list's spelling, even in look-ups.

    Raises MerchantUnavailable for an answer that is neither a record nor "there is none".
    """
    found = with_records(definition.lookups, as_listed(definition, names, ask, locale), ask, locale)
    return found if isinstance(found, Obstacle) else _with_computed(definition, found)


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
        return declared.parsed(argument, declared.written(value), rule)
    except NoValue as error:
        raise ExpressionFailed(error.why, place=rule.text) from error


def first_obstacle(definition: Definition, names: Names, locale: str, *, is_undo: bool = False) -> Obstacle | None:
    """Return the first guard that fails, or the first argument whose value is ambiguous in its list or missing from its
    public list; otherwise None. In a request that undoes another one, nobody has chosen anything, so a value may be
    missing from its list.
    """
    for guard in definition.guards:
        where = f"guards.{guard.name}"
        try:
            if not guard.require.holds(names):
                return refused(guard.refusal, guard.name, names, where, locale)
        except ExpressionFailed as error:
            return failed(where, error)
    return ambiguous(names) or (None if is_undo else not_offered(definition, names))


def complete_arguments(definition: Definition, parsed: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Return all arguments in canonical form, including those from the server and the identity; those chosen from a
    list have the list's spelling. Raises ExpressionFailed.
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
    """Return the amount that counts against limits; raises ExpressionFailed if it is negative or too precise."""
    if definition.money is None:
        return None
    amount, currency = definition.money.amount.evaluate(names), definition.money.currency.evaluate(names)
    place = definition.money.amount.text
    if isinstance(amount, Money) and amount.currency != currency:
        raise ExpressionFailed(
            gettext_noop("the amount is in {one}, not in {other}"),
            place=place,
            one=amount.currency,
            other=str(currency),
        )
    try:
        result = money(amount.amount if isinstance(amount, Money) else amount, currency)
    except NoValue as error:
        raise ExpressionFailed(error.why, place=place) from error
    if result.amount < 0 or not is_amount_in(f"{result.amount.normalize():f}", result.currency):
        raise ExpressionFailed(
            gettext_noop("an amount must not be negative or have more decimals than its currency"), place=place
        )
    return Money(Decimal(format_amount(result.amount, result.currency)), result.currency)


def subject_of(definition: Definition, names: Names) -> tuple[str, str]:
    """Return the kind and id of the action's subject."""
    assert definition.subject is not None  # a write has one
    value = definition.subject.id.evaluate(names)
    try:
        return definition.subject.kind, as_text(value)
    except NoValue as error:
        raise ExpressionFailed(error.why, place=definition.subject.id.text) from error


def needs_approval(definition: Definition, names: Names) -> bool:
    """Return whether the definition itself requires a person's approval; the workspace's policy may require more."""
    rule = definition.approval
    return rule is not None and (rule.when is None or rule.when.holds(names))


def happened(rule: AnswerRule | Outcome, answer: Answer, names: Names) -> Happened:
    """Return the outcome according to an answer. If a rule cannot be evaluated, the outcome is unclear."""
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
