"""A conversation's action requests with their audited steps, each with its reason in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from actions.audit import Step as AuditStep
from actions.audit import steps_of
from actions.cards import card_of, team_reason_of
from actions.models import ActionRequest
from actions.reasons import CODES, FAILED, SETTLED, WORDS, Reason, failure_text, needs_facts
from actions.states import State as ActionState
from actions.team_reasons import team_sentence
from supportbot.handoff.desk.actor_names import actor_names
from supportbot.team_formats import active_language

STATE_LABELS: Final = {
    ActionState.PROPOSED: gettext_noop("Proposed"),
    ActionState.REFUSED: gettext_noop("Refused by the rules"),
    ActionState.AWAITING_CONFIRMATION: gettext_noop("Waiting for the customer"),
    ActionState.AWAITING_APPROVAL: gettext_noop("Waiting for approval"),
    ActionState.QUEUED: gettext_noop("Accepted"),
    ActionState.EXECUTING: gettext_noop("In progress"),
    ActionState.UNKNOWN: gettext_noop("Outcome unknown"),
    ActionState.SUCCEEDED: gettext_noop("Done"),
    ActionState.FAILED: gettext_noop("Failed"),
    ActionState.CANCELLED: gettext_noop("Withdrawn"),
    ActionState.REJECTED: gettext_noop("Rejected"),
    ActionState.EXPIRED: gettext_noop("Expired"),
}


@dataclass(frozen=True, slots=True)
class ActionStep:
    state: str
    actor: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """One action request with its steps."""

    request: UUID
    title: str
    state: str
    reason: str
    digest: str
    at: datetime
    steps: tuple[ActionStep, ...]
    undo: str = ""  # the title of the action that the reader may propose to undo this one


def action_records(conversation_id: UUID, *, most: int | None = None) -> list[ActionRecord]:
    """Return a conversation's newest action requests, oldest first, with their audited steps.

    If `most` is None, return all.
    """
    newest = ActionRequest.objects.filter(conversation_id=conversation_id).order_by("-id")[:most]
    return [action_record(request) for request in reversed(newest)]


def action_record(request: ActionRequest) -> ActionRecord:
    """Return a request with all its audited steps."""
    steps = list(steps_of(request.pk))
    names = actor_names(one.actor for one in steps)
    return ActionRecord(
        request=request.pk,
        title=card_of(request, active_language()).title,
        state=state_label(ActionState(request.state)),
        reason=team_reason_of(request),
        digest=request.digest,
        at=request.created_at,
        steps=tuple(
            ActionStep(state_label(one.state), names[one.actor], one.at, _reason(one, _facts_of(one, steps, request)))
            for one in steps
        ),
    )


def _facts_of(step: AuditStep, steps: Sequence[AuditStep], request: ActionRequest) -> Mapping[str, str] | None:
    """Return the facts that belong to a step's reason, or None if they are gone: a request keeps only the facts of its
    newest reason.
    """
    newest = next((one for one in reversed(steps) if one.reason_code), None)
    is_newest = step is newest and step.reason_code == request.reason_code
    return {"order": request.subject_id, **request.reason_facts} if is_newest else None


def _reason(step: AuditStep, facts: Mapping[str, str] | None) -> str:
    """Return why a step was taken, in words. For a rejection, this is the text that a colleague gave, if any."""
    if step.state is not ActionState.REJECTED:
        return _in_words(step.reason_code, facts)
    given = {
        gettext("shown to the customer"): (facts or {}).get("words"),
        gettext("for the team only"): (facts or {}).get("note"),
    }
    text = "; ".join(f"{reader}: {words}" for reader, words in given.items() if words)
    return text or _in_words("rejected" if step.reason_code else "", facts)


def _in_words(code: str, facts: Mapping[str, str] | None) -> str:
    """Return the sentence for a reason, or its code if it has no sentence or the sentence needs facts that are gone.

    If an action could not be decided, the sentence also contains the path in its definition, so that the team can
    correct it.
    """
    if not code:
        return ""
    if facts is None:
        return code if code not in CODES or needs_facts(code) else team_sentence(Reason(code))
    if code not in CODES and not any(name.startswith(WORDS) for name in facts):
        return code
    text = team_sentence(Reason(code, facts))
    if code == FAILED and "place" in facts:
        return f"{text} ({failure_text(facts)})"
    is_noted = code in SETTLED and "note" in facts
    return f"{text} ({gettext('for the team only')}: {facts['note']})" if is_noted else text


def state_label(state: ActionState) -> str:
    """Return the name that pages show for an action's state."""
    return gettext(STATE_LABELS[state])
