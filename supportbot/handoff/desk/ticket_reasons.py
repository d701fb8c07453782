"""Why a person is needed, and who asked for one: the desk's labels and icons. Pure."""

from typing import Final

from django.utils.translation import gettext, gettext_noop

from supportbot.handoff.models import Reason, Requester, Ticket

REASONS: Final = {
    Reason.CUSTOMER_ASKED: gettext_noop("Asked for a person"),
    Reason.NO_ANSWER: gettext_noop("Not covered by our articles"),
    Reason.ACTION: gettext_noop("An action needs a person"),
    Reason.GUARDRAIL: gettext_noop("Stopped by a safety rule"),
    Reason.MODEL_DOWN: gettext_noop("The assistant was unavailable"),
    Reason.OTHER: gettext_noop("Other reason"),
}
REQUESTERS: Final = {
    Requester.CUSTOMER: gettext_noop("Requested by the customer"),
    Requester.ASSISTANT: gettext_noop("Requested by the assistant"),
    Requester.GUARDRAIL: gettext_noop("Requested by a safety rule"),
    Requester.RULE: gettext_noop("Requested by a rule"),
    Requester.AGENT: gettext_noop("Requested by a colleague"),
}
REASON_ICONS: Final = {
    Reason.CUSTOMER_ASKED: "person",
    Reason.NO_ANSWER: "book",
    Reason.ACTION: "shield",
    Reason.GUARDRAIL: "lock",
    Reason.MODEL_DOWN: "alert",
    Reason.OTHER: "flag",
}


def reason_label(ticket: Ticket) -> str:
    return gettext(REASONS[Reason(ticket.reason)])


def requester_label(ticket: Ticket) -> str:
    return gettext(REQUESTERS[Requester(ticket.requested_by)])
