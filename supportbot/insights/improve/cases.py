"""Turns findings into evaluation cases. A case expects what a good answer would contain, not what the given answer
contained.

If the team answered, the case expects the team's answer and the confirmed action. Otherwise, it expects only that an
untrue answer is not given again, or that a question whose answer was missing or poor gets an answer. A person adds the
rest before saving the case.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from actions.models import ActionRequest
from supportbot.chat.models import Conversation, Message, Source, Turn
from supportbot.errors import NotFound
from supportbot.evals.case_from_conversation import (
    action_in,
    case_of_message,
    expected_again,
    expected_instead,
    expected_of_replies,
    expected_to_differ,
    requests_in,
    settled_action_in,
)
from supportbot.handoff.models import OfferedDraft
from supportbot.insights.improve.findings import Finding, Kind, findings
from supportbot.insights.outcome_rules import UNHAPPY
from supportbot.widget.models import Rating

UNTRUE = "wrong"  # the reason given with a rating
_Action = Callable[[Conversation, QuerySet[ActionRequest]], dict[str, Any]]


def case_of_finding(kind: Kind, subject: UUID) -> dict[str, Any]:
    """Return the document of a finding's case. Raises NotFound if the finding has been dealt with or erased."""
    one = next((found for found in findings(kind) if found.subject == subject), None)
    if one is None:
        raise NotFound()
    if one.answer_id is None:
        return _of_draft(one)
    answer = Message.objects.filter(pk=one.answer_id).select_related("conversation__customer").first()
    if answer is None:
        raise NotFound()
    return case_of_message(answer, _expected(answer, one.reason if kind == Kind.RATED_BAD else None))


def case_of_answer(message_id: UUID) -> dict[str, Any]:
    """Return the document of the case for an answer from the assistant. Raises NotFound."""
    rows = Message.objects.filter(source=Source.ASSISTANT).select_related("conversation__customer")
    answer = rows.filter(pk=message_id).first()
    if answer is None:
        raise NotFound()
    rating = Rating.objects.filter(message_id=answer.pk, score__lte=UNHAPPY).order_by("-pk").first()
    return case_of_message(answer, _expected(answer, rating.reason if rating else None))


def _expected(answer: Message, complaint: str | None) -> dict[str, Any]:
    """Return the expectations for a new answer. `complaint` is the reason that was given with a bad rating, or None."""
    if instead := expected_instead(answer):
        return instead if complaint is not None else {**_action_of(answer, settled_action_in), **instead}
    if complaint == UNTRUE and not answer.is_abstention:
        return expected_to_differ(answer)
    if complaint is not None:
        return {"abstains": False}
    return _action_of(answer, action_in) or expected_again(answer)


def _action_of(answer: Message, action: _Action) -> dict[str, Any]:
    turn = Turn.objects.filter(message_id=answer.pk).first()
    if turn is None:
        return {}
    made = requests_in(answer.conversation).filter(proposal_key__startswith=f"turn:{turn.pk}:")
    return action(answer.conversation, made)


def _of_draft(one: Finding) -> dict[str, Any]:
    """Return the document of the case for a corrected draft. It expects the agent's reply."""
    reply = OfferedDraft.objects.filter(pk=one.subject, message_id__isnull=False).values("message_id")
    sent = Message.objects.filter(pk__in=reply).select_related("conversation__customer").first()
    if sent is None:
        raise NotFound()
    return case_of_message(sent, expected_of_replies([sent]) or {"abstains": False})
