"""The events of the audit trail as text. Programs and the documentation use the events' names."""

from collections.abc import Mapping
from typing import Final

from django.utils.translation import gettext, gettext_noop

from actions.states import State
from supportbot.handoff.desk.action_records import state_label
from supportbot.team_formats import labelled

_STEP: Final = "request."  # the prefix of the events for a request's states
EVENT_LABELS: Final[Mapping[str, str]] = {
    "api_key.issued": gettext_noop("API key created"),
    "api_key.revoked": gettext_noop("API key revoked"),
    "approval.first": gettext_noop("Approved by the first of two people"),
    "approval.judged": gettext_noop("Request judged by new rules"),
    "approve.refused": gettext_noop("Decision on a request refused"),
    "article.archived_against_gates": gettext_noop("Article archived despite failing gates"),
    "article.changed_against_gates": gettext_noop("Article changed despite failing gates"),
    "article.planned_against_gates": gettext_noop("Article scheduled despite failing gates"),
    "article.published_against_gates": gettext_noop("Article published despite failing gates"),
    "channel.changed": gettext_noop("Channel changed"),
    "channel.created": gettext_noop("Channel created"),
    "confirm.refused": gettext_noop("Confirmation refused"),
    "connection.changed": gettext_noop("Connection changed"),
    "connection.created": gettext_noop("Connection created"),
    "connection.removed": gettext_noop("Connection deleted"),
    "connection.rotated": gettext_noop("Connection secret replaced"),
    "connection.tested": gettext_noop("Connection tested"),
    "conversation.not_theirs": gettext_noop("Access to someone else's conversation refused"),
    "customer.exported": gettext_noop("Customer data exported"),
    "customer.forgotten": gettext_noop("Customer erased"),
    "definition.case_added": gettext_noop("Action case added"),
    "definition.case_changed": gettext_noop("Action case changed"),
    "definition.case_removed": gettext_noop("Action case deleted"),
    "definition.deleted": gettext_noop("Action deleted"),
    "definition.published": gettext_noop("Action published"),
    "definition.saved": gettext_noop("Action saved"),
    "definition.switched_off": gettext_noop("Action switched off"),
    "definition.tested": gettext_noop("Action tested"),
    "door.refused": gettext_noop("Opening a chat refused"),
    "embedding_connection.changed": gettext_noop("Search model connection changed"),
    "embedding_connection.created": gettext_noop("Search model connection created"),
    "embedding_connection.removed": gettext_noop("Search model connection deleted"),
    "embedding_route.cancelled": gettext_noop("Change of search model cancelled"),
    "embedding_route.chosen": gettext_noop("Search model chosen"),
    "identity_key.added": gettext_noop("Signing key added"),
    "identity_key.revoked": gettext_noop("Signing key revoked"),
    "mcp.refused": gettext_noop("Access for an external agent refused"),
    "member.added": gettext_noop("Team member added"),
    "member.changed": gettext_noop("Team member changed"),
    "member.invited": gettext_noop("Team member invited"),
    "member.removed": gettext_noop("Team member removed"),
    "member.role_changed": gettext_noop("Team member's role changed"),
    "merchant.connected": gettext_noop("Shop connected"),
    "model_connection.changed": gettext_noop("Model connection changed"),
    "model_connection.created": gettext_noop("Model connection created"),
    "model_connection.removed": gettext_noop("Model connection deleted"),
    "policy.approver_added": gettext_noop("Approver added"),
    "policy.approver_removed": gettext_noop("Approver removed"),
    "policy.changed": gettext_noop("Action rules changed"),
    "policy.changed_against_gates": gettext_noop("Action rules changed despite failing gates"),
    "policy.disabled": gettext_noop("Action switched off by its rules"),
    "policy.enabled": gettext_noop("Action switched on by its rules"),
    "read.answered": gettext_noop("Look-up answered"),
    "read.refused": gettext_noop("Look-up refused"),
    "release.gates_changed": gettext_noop("Gates changed"),
    "release.published": gettext_noop("Release published"),
    "release.published_against_gates": gettext_noop("Release published despite failing gates"),
    "release.restored": gettext_noop("Release restored"),
    "release.restored_against_gates": gettext_noop("Release restored without the gates"),
    "request.not_theirs": gettext_noop("Access to someone else's request refused"),
    "source.added": gettext_noop("Source added"),
    "source.changed": gettext_noop("Source changed"),
    "source.deleted": gettext_noop("Source deleted"),
    "tool.refused": gettext_noop("Tool call refused"),
    "webhook.changed": gettext_noop("Webhook changed"),
    "webhook.created": gettext_noop("Webhook created"),
    "webhook.removed": gettext_noop("Webhook deleted"),
    "webhook.replayed": gettext_noop("Webhook deliveries sent again"),
    "webhook.rotated": gettext_noop("Webhook secret replaced"),
    "webhook.switched_off": gettext_noop("Webhook switched off"),
    "webhook.tested": gettext_noop("Webhook tested"),
    "wish.erased": gettext_noop("Details of an unconfirmed request erased"),
    "wish.refused": gettext_noop("Request refused before it was made"),
    "words.erased": gettext_noop("Team's texts about a request erased"),
    "workspace.changed": gettext_noop("Workspace changed"),
}


def event_label(event: str) -> str:
    """Return what happened, such as "Action rules changed"; "" for an event that this version does not know."""
    if event in EVENT_LABELS:
        return gettext(EVENT_LABELS[event])
    state = event.removeprefix(_STEP)
    return labelled(gettext("Request"), state_label(State(state))) if state in State.values else ""


def events_called(text: str) -> list[str]:
    """Return the events whose label contains the text."""
    known = [*EVENT_LABELS, *(f"{_STEP}{state}" for state in State)]
    return [event for event in known if text.casefold() in event_label(event).casefold()]
