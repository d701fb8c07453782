"""What the desk's scripts ask for beside the page, since it takes time or depends on what is typed: JSON for this page
alone. Refusals are `{"code", "message", "fields"}`, as everywhere."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_POST, require_safe

from actions.principals import principal_in_conversation
from actions.services import run_read
from supportbot.accounts.callers import Staff
from supportbot.chat.access import conversation_for
from supportbot.errors import NotAllowed, SupportBotError, error_body
from supportbot.handoff.desk.canned_replies import replies_for
from supportbot.handoff.desk.decorators import for_the_team
from supportbot.handoff.desk.drafting import draft_reply
from supportbot.handoff.tickets.access import person_of, ticket_for


@require_safe
@for_the_team
def orders(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the customer's orders, read as the customer themselves would: by the action's own rules and audit."""
    conversation = ticket_for(staff, ticket_id).conversation
    try:
        if not staff.may("customers:read"):
            raise NotAllowed()
        principal = principal_in_conversation(conversation.customer, locale="en")
        found = run_read(principal, "order_status", {}, conversation_id=conversation.pk)
    except SupportBotError as error:
        return _refused(error)
    return JsonResponse(found)


@require_safe
@for_the_team
def canned(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the canned replies that fit the words, filled in for this customer."""
    conversation = ticket_for(staff, ticket_id).conversation
    found = replies_for(conversation, person_of(staff), request.GET.get("q", "")[:100])
    return JsonResponse({"replies": [reply.as_json() for reply in found]})


@require_POST
@for_the_team
def draft(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the assistant's draft of a reply, with its sources."""
    conversation = conversation_for(staff, ticket_for(staff, ticket_id).conversation_id)
    try:
        if not staff.may("conversations:write"):
            raise NotAllowed()
        return JsonResponse(draft_reply(conversation).as_json())
    except SupportBotError as error:
        return _refused(error)


def _refused(error: SupportBotError) -> HttpResponse:
    return JsonResponse(error_body(error.code, error.message, error.fields), status=error.status)
