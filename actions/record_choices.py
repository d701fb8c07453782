"""Finds the records that a customer may choose for an action's arguments, before anything is proposed."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db import transaction

from actions import audit
from actions.argument_json import as_text, read_arguments
from actions.errors import InvalidArguments
from actions.intents import identity_for
from actions.policy_store import policy_of, rules_of
from actions.principals import Principal
from actions.reads import budget_of
from actions.reasons import Reason
from actions.registry import action_named
from actions.request_decision import decide_read
from actions.schema import parse_arguments
from actions.spec import Choice


@dataclass(frozen=True, slots=True)
class Offer:
    """The arguments that a request lacks, with the customer's records to choose from, or why there are none."""

    choices: dict[str, Sequence[Choice]]
    reason: Reason | None = None
    # All arguments as JSON, if there is only one record and nothing else is missing: a look-up needs no choice then.
    complete: str = ""


def offer_of(
    principal: Principal, name: str, arguments: str | Mapping[str, Any], *, conversation_id: UUID | None = None
) -> Offer | None:
    """Return the customer's choices for the first missing argument that is chosen from records, and for other arguments
    chosen from the same records. None if there is no such argument, if its records cannot be found without another
    argument that is missing, or if other arguments are invalid or it is a look-up that the rules forbid; carrying it
    out reports all of these.

    Raises UnknownAction, NotSignedIn, MerchantUnavailable, NotConnected, or ReadRefused for a visitor who has looked up
    too much.
    """
    action = action_named(name)
    policy = policy_of(name) if action.chosen else None
    if policy is None or (action.is_read and decide_read(rules_of(policy)).is_refusal):
        return None
    with suppress(InvalidArguments):
        given = read_arguments(arguments)
        missing = [one for one in action.arguments.required if one not in given]
        lacking = [
            one for one in missing
            if one in action.chosen and not action.choices_need(one, [other for other in missing if other != one])
        ]  # fmt: skip
        asked = parse_arguments(replace(action.arguments, required={}, optional=action.arguments.all_fields), given)
        if lacking:
            spend = budget_of(principal, name)
            found = action.choices(lacking, asked, identity_for(principal, action), principal.locale, spend)
            if isinstance(found, Reason):
                _record(principal, name, 0, conversation_id)
                return Offer({}, found)
            # Lists may share records: each is counted once.
            records = {one.value for choices in found.values() for one in choices.offered}
            _record(principal, name, len(records), conversation_id)
            # Without records for the first argument, there is nothing to ask about the others.
            first = found.get(lacking[0])
            if first is None or not first.offered:
                return Offer({})
            is_only = len(first.offered) == 1 and first.is_every and missing == lacking[:1]
            complete = as_text({**given, lacking[0]: first.offered[0].value}) if is_only else ""
            return Offer({name: one.offered for name, one in found.items() if one.offered}, complete=complete)
    return None


@transaction.atomic
def _record(principal: Principal, action: str, records: int, conversation_id: UUID | None) -> None:
    audit.record(
        "read.answered", actor=principal.actor,
        action=action, records=records, conversation=str(conversation_id or ""),
    )  # fmt: skip
