"""Finding the records that a customer may choose for an action's arguments before anything is proposed. A chat asks for
one argument after another; a form shows all of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from actions import audit
from actions.argument_json import as_text, read_arguments
from actions.argument_types import Shape, parse_arguments
from actions.audit import record_refusal
from actions.errors import InvalidArguments, MerchantUnavailable, NotConnected, ReadRefused
from actions.lookup_refusals import read_refused, requests_of
from actions.policy_store import policy_of, rules_of
from actions.principals import Principal
from actions.reasons import Reason, sentence
from actions.registry import action_named
from actions.requests.intent_parsing import identity_for
from actions.spec import Action, Choice, Requests, WriteAction
from supportbot.outbound.errors import NoAnswer, NotSent


@dataclass(frozen=True, slots=True)
class Offer:
    """The arguments that a request lacks, with the records that the customer can choose, or why there are none."""

    choices: dict[str, Sequence[Choice]]
    reason: Reason | None = None
    # All arguments as JSON if there is only one record and nothing else is missing, so that a look-up needs no choice.
    complete: str = ""
    requests: Requests | None = field(default=None, compare=False)  # already made, to find the records


@dataclass(frozen=True, slots=True)
class FormChoices:
    """The records that a form offers for one argument. If there are none, `reason` says why, or `needs_others` says
    that other arguments must be filled in first.
    """

    offered: Sequence[Choice] = ()
    reason: Reason | None = None
    needs_others: bool = False


@dataclass(frozen=True, slots=True)
class _MissingArguments:
    """The missing arguments whose records can be found with the `given` ones. `is_all` is true if only one argument is
    missing, and it was left out rather than given as an empty text.
    """

    arguments: list[str]
    given: dict[str, Any]
    parsed: dict[str, Any]
    is_all: bool


def offer_of(
    principal: Principal, name: str, arguments: str | Mapping[str, Any], *, conversation_id: UUID | None = None
) -> Offer | None:
    """Return the customer's choices for the first missing argument that is chosen from records, and for other arguments
    chosen from the same records. An argument given as an empty text counts as missing, and even a single record is then
    offered as a choice. If arguments are missing that nobody can choose, but the customer's record rules the action out
    anyway, the offer is empty and has the reason. Returns None if there is nothing to offer; any mistake in the request
    is then reported when it is carried out.

    Raises UnknownAction, NotSignedIn, MerchantUnavailable, NotConnected, or ReadRefused for a visitor who has looked up
    too much.
    """
    action = action_named(name)
    lacking = _lacking(action, arguments) if action.chosen else None
    if lacking is None:
        return _ruled_out(principal, action, arguments) if isinstance(action, WriteAction) else None
    if not _is_enabled(name):
        return None
    identity, requests = identity_for(principal, action), requests_of(principal, name)
    found = action.choices(lacking.arguments, lacking.parsed, identity, principal.locale, requests)
    if isinstance(found, Reason):
        read_refused(principal, name, found)  # records the refusal
        return Offer({}, found)
    # Lists may share records: each is counted once.
    records = {one.value for choices in found.values() for one in choices.offered}
    _record(principal, name, len(records), conversation_id)
    first = found.get(lacking.arguments[0])
    if first is None or not first.offered:  # then there is nothing to ask about the others
        return Offer({})
    is_only = lacking.is_all and first.is_every and len(first.offered) == 1
    complete = as_text({**lacking.given, lacking.arguments[0]: first.offered[0].value}) if is_only else ""
    return Offer({one: choices.offered for one, choices in found.items() if choices.offered}, None, complete, requests)


def _is_enabled(name: str) -> bool:
    policy = policy_of(name)
    return policy is not None and rules_of(policy).is_enabled


def _ruled_out(principal: Principal, action: WriteAction, arguments: str | Mapping[str, Any]) -> Offer | None:
    """Return the reason why the customer's record rules out an action that still lacks arguments; None if it does not,
    if no argument is missing, or if one is invalid.
    """
    given = _given(action, arguments)
    if given is None or action.arguments.required.keys() <= given.keys() or not _is_enabled(action.name):
        return None
    reason = action.early_obstacle(given, identity_for(principal, action))
    if reason is None:
        return None
    error = ReadRefused(reason.code, sentence(reason, principal.locale))
    record_refusal("wish.refused", error, actor=principal.actor, action=action.name, reason=reason.code)
    return Offer({}, reason)


def _given(action: Action, arguments: str | Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the parsed arguments (some may be missing); None if one is invalid or unknown."""
    try:
        return parse_arguments(_all_optional(action), read_arguments(arguments))
    except InvalidArguments:
        return None


def _all_optional(action: Action) -> Shape:
    return replace(action.arguments, required={}, optional=action.arguments.all_fields)


def form_choices(
    principal: Principal,
    name: str,
    arguments: str | Mapping[str, Any],
    *,
    conversation_id: UUID | None = None,
    requests: Requests | None = None,
) -> dict[str, FormChoices]:
    """Return the customer's choices for each argument that is chosen from records, filled in or not. Invalid arguments
    count as empty. There are no choices while the action is switched off, and none from a list that cannot be read.
    Pass `requests` if they have already been used for the look-up itself.

    Raises UnknownAction or NotSignedIn.
    """
    action = action_named(name)
    if not action.chosen or not _is_enabled(name):
        return {}
    made = requests or requests_of(principal, name)
    found = dict(_choices_in_form(principal, action, _valid(action, arguments), made))
    if are_read := [one for one in found.values() if one.reason is None and not one.needs_others]:
        records = {choice.value for one in are_read for choice in one.offered}
        _record(principal, name, len(records), conversation_id)
    return found


def _choices_in_form(
    principal: Principal, action: Action, valid: Mapping[str, Any], requests: Requests
) -> Iterator[tuple[str, FormChoices]]:
    """Yield each argument that is chosen from records with its choices, if its list can be read."""
    identity = identity_for(principal, action)
    for one in (each for each in action.arguments.all_fields if each in action.chosen):
        others = {other: value for other, value in valid.items() if other != one}
        missing = [other for other in action.arguments.required if other not in {one, *others}]
        if action.choices_need(one, missing):
            yield one, FormChoices(needs_others=True)
            continue
        try:
            choices = action.choices([one], others, identity, principal.locale, requests)
        except NotConnected:
            return
        except MerchantUnavailable as error:
            if isinstance(error.__cause__, NotSent | NoAnswer):
                return  # the other lists would wait for the same system
            continue
        if isinstance(choices, Reason):
            read_refused(principal, action.name, choices)  # records the refusal
            yield one, FormChoices(reason=choices)
        elif one in choices:
            yield one, FormChoices(choices[one].offered)


def _valid(action: Action, arguments: str | Mapping[str, Any]) -> dict[str, Any]:
    try:
        given = read_arguments(arguments)
    except InvalidArguments:
        return {}
    try:
        return parse_arguments(_all_optional(action), given)
    except InvalidArguments as error:
        wrong = {path.partition(".")[0] for path in error.fields}
        return parse_arguments(
            _all_optional(action), {name: value for name, value in given.items() if name not in wrong}
        )


def _lacking(action: Action, arguments: str | Mapping[str, Any]) -> _MissingArguments | None:
    """Return the missing arguments whose records can be found without any other missing argument; None if there are
    none, or if a given argument is invalid.
    """
    try:
        read = read_arguments(arguments)
        given = {name: value for name, value in read.items() if value != "" or name not in action.chosen}
        parsed = parse_arguments(_all_optional(action), given)
    except InvalidArguments:
        return None
    missing = [one for one in action.arguments.required if one not in given]
    found = [
        one for one in missing
        if one in action.chosen and not action.choices_need(one, [other for other in missing if other != one])
    ]  # fmt: skip
    is_all = missing == found[:1] and missing[0] not in read if missing else False
    return _MissingArguments(found, given, parsed, is_all) if found else None


@transaction.atomic
def _record(principal: Principal, action: str, records: int, conversation_id: UUID | None) -> None:
    audit.record(
        "read.answered", actor=principal.actor,
        action=action, records=records, conversation=str(conversation_id or ""),
    )  # fmt: skip
