"""The page where an agent looks up a record, previews its card, and sends the card or a receipt."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from actions.errors import MerchantUnavailable
from actions.record_choices import FormChoices
from actions.spec import ReadAction
from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.errors import FieldErrors, NotAllowed, NotFound, SupportBotError
from supportbot.handoff.desk.page_frame import agent_required, render_page
from supportbot.handoff.models import Ticket
from supportbot.handoff.proposals.form_fields import form_fields, typed_in
from supportbot.handoff.proposals.sent_cards import (
    found_records,
    look_up_named,
    look_ups,
    receipts_of,
    requests_for,
    send_receipt,
    send_record,
)
from supportbot.handoff.proposals.services import ORDER, records_for
from supportbot.handoff.tickets.access import ticket_for, user_of
from supportbot.team_formats import active_language


@require_http_methods(["GET", "HEAD", "POST"])
@agent_required
def records(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Show what a look-up finds. A button sends one card or receipt and returns to the ticket."""
    ticket, person = ticket_for(staff, ticket_id), user_of(staff)
    context: dict[str, Any] = {"ticket": ticket, "conversation": ticket.conversation}
    try:
        if not staff.may("conversations:write"):
            raise NotAllowed()
        if request.method == "POST":
            if _is_sent(request, ticket, person):
                return redirect("desk-ticket", ticket.pk)
            context["problem"] = gettext("This has changed since you saw it. Nothing was sent. Check it again.")
    except NotFound:
        raise
    except SupportBotError as error:
        context["problem"] = error.message
    context |= _shown(typed_in(request.GET), ticket, person)
    return render_page(request, staff, "desk/records.html", context, status=409 if "problem" in context else 200)


def _is_sent(request: HttpRequest, ticket: Ticket, person: User) -> bool:
    posted = request.POST
    if "receipt" in posted:
        send_receipt(ticket, person, _key(posted["receipt"]), client_id=posted.get("client_id", ""))
        return True
    action = look_up_named(ticket, person, posted.get("look_up", ""))
    return send_record(
        ticket, person, action, posted, seen=posted.get("seen", ""), client_id=posted.get("client_id", "")
    )


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise NotFound() from error


def _shown(posted: Mapping[str, str], ticket: Ticket, person: User) -> dict[str, Any]:
    offered = look_ups(ticket, person)
    action = next((one for one in offered if one.name == posted.get("look_up")), offered[0] if offered else None)
    language = active_language()
    context: dict[str, Any] = {
        "look_ups": [{"name": one.name, "title": one.title_in(language)} for one in offered],
        "receipts": [{"request": one, "title": title, "key": uuid4()} for one, title in receipts_of(ticket, person)],
    }
    return {**context, **_found(posted, ticket, person, action)} if action else context


def _found(posted: Mapping[str, str], ticket: Ticket, person: User, action: ReadAction) -> dict[str, Any]:
    """Return the results of a look-up with the typed values or, if values are missing, only its form."""
    wrong: FieldErrors = {}
    context: dict[str, Any] = {"chosen": action.name, "cards": None}
    records: dict[str, FormChoices] = {}
    with suppress(SupportBotError):  # people can type a number instead, and the look-up then shows the reason
        requests = requests_for(ticket, person, action)
        if "look_up" in posted or not action.arguments.required:
            try:
                found = found_records(ticket, person, action, posted, requests=requests)
                context["cards"] = [{"card": one.record, "seen": one.seen, "key": uuid4()} for one in found]
            except SupportBotError as error:
                wrong, context["not_found"] = error.fields, error.message
                if isinstance(error, MerchantUnavailable):
                    raise  # do not wait for the same system again to fill the lists
        records = records_for(ticket, person, action, posted, requests=requests)
    context["fields"] = form_fields(action, posted, wrong, records)
    context["are_newest_orders"] = ORDER in action.arguments.all_fields and not posted.get(ORDER)
    return context
