"""The page where an agent fills in an action for a customer, previews it and sends it."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from actions.cards import title_of
from actions.record_choices import FormChoices
from actions.spec import WriteAction
from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.errors import FieldErrors, NotAllowed, NotFound, SupportBotError
from supportbot.handoff.desk.page_frame import agent_required, render_page
from supportbot.handoff.models import Ticket
from supportbot.handoff.proposals.form_fields import form_fields, typed_in
from supportbot.handoff.proposals.services import (
    offered_action,
    preview_action,
    propose_action,
    propose_undoing,
    records_for,
)
from supportbot.handoff.tickets.access import ticket_for, user_of
from supportbot.team_formats import active_language

_CONTROL_FIELDS: Final = ("csrfmiddlewaretoken", "key", "seen", "step")


@require_http_methods(["GET", "HEAD", "POST"])
@agent_required
def proposal(request: HttpRequest, staff: Staff, ticket_id: UUID, name: str) -> HttpResponse:
    """Show the form. `check` adds a preview of the card; `send` sends it and returns to the ticket."""
    ticket, person = ticket_for(staff, ticket_id), user_of(staff)
    context: dict[str, Any] = {
        "ticket": ticket,
        "conversation": ticket.conversation,
        "title": title_of(name, active_language()),
    }
    try:
        if not staff.may("conversations:write"):
            raise NotAllowed()
        action = offered_action(ticket, person, name)
    except SupportBotError as error:
        context |= {"refused": error.message, "typed_texts": _typed_texts(request)}
        return render_page(request, staff, "desk/proposal.html", context, status=error.status)
    typed, status = typed_in(request.POST if request.method == "POST" else request.GET), 200
    problems: FieldErrors = {}
    try:
        if request.POST.get("step") in ("check", "send"):
            shown = context["preview"] = preview_action(ticket, person, action, typed)
            context["has_changed"] = request.POST.get("seen", shown.fingerprint) != shown.fingerprint
            # Show a refusal here, because after proposing, the customer would see it.
            if request.POST["step"] == "send" and not shown.refusal and not context["has_changed"]:
                propose_action(ticket, person, action, typed, _proposal_key(request))
                return redirect("desk-ticket", ticket.pk)
    except SupportBotError as error:
        problems, status = error.fields, error.status
        context |= {"preview": None, "problem": error.message}
    preview = context.get("preview")
    is_form_hidden = preview is not None and not preview.refusal
    records = {} if is_form_hidden else _records(ticket, person, action, typed)
    context["fields"] = form_fields(action, typed, problems, records)
    if problems.keys() & {field.name for field in context["fields"]}:
        context["problem"] = ""  # shown next to its field instead
    # Each preview has its own key: submitting it twice sends one card, and a changed preview is a new card.
    return render_page(request, staff, "desk/proposal.html", {**context, "key": uuid4()}, status=status)


@require_POST
@agent_required
def undo(request: HttpRequest, staff: Staff, ticket_id: UUID, request_id: UUID) -> HttpResponse:
    """Send the card that undoes a request, and return to the ticket.

    If that is impossible, the ticket's page says why.
    """
    ticket = ticket_for(staff, ticket_id)
    try:
        if not staff.may("conversations:write"):
            raise NotAllowed()
        propose_undoing(ticket, user_of(staff), request_id)
    except NotFound:
        raise
    except SupportBotError as error:
        context = {"ticket": ticket, "conversation": ticket.conversation, "title": gettext("Undo")}
        refused = {"refused": error.message, "typed_texts": []}
        return render_page(request, staff, "desk/proposal.html", {**context, **refused}, status=error.status)
    return redirect("desk-ticket", ticket.pk)


def _records(ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str]) -> dict[str, FormChoices]:
    with suppress(SupportBotError):  # people can type a number instead, and a refusal then shows the reason
        return records_for(ticket, person, action, typed)
    return {}


def _typed_texts(request: HttpRequest) -> list[str]:
    """Return the texts typed into a form that can no longer be sent, so that the person can copy them."""
    typed = [text.strip() for name, text in typed_in(request.POST).items() if name not in _CONTROL_FIELDS]
    return [text for text in typed if text]


def _proposal_key(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return uuid4()
