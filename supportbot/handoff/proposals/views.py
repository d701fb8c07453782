"""The page on which an agent asks a customer to confirm an action: fill in, look over, send."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_http_methods

from actions.cards import title_of
from actions.spec import WriteAction
from supportbot.accounts.callers import Staff
from supportbot.accounts.models import User
from supportbot.errors import FieldErrors, NotAllowed, SupportBotError
from supportbot.handoff.desk.decorators import agent_required, render_page
from supportbot.handoff.models import Ticket
from supportbot.handoff.proposals.services import ORDER, ask, checked, customer_orders, form_fields, offered
from supportbot.handoff.tickets.access import ticket_for, user_of

_CONTROL_FIELDS: Final = ("csrfmiddlewaretoken", "key", "seen", "step")


@require_http_methods(["GET", "HEAD", "POST"])
@agent_required
def proposal(request: HttpRequest, staff: Staff, ticket_id: UUID, name: str) -> HttpResponse:
    """Show the form; `check` adds what the card would say, `send` shows it to the customer and leads back."""
    ticket, person = ticket_for(staff, ticket_id), user_of(staff)
    told: dict[str, Any] = {"ticket": ticket, "conversation": ticket.conversation, "title": title_of(name, "en")}
    try:
        if not staff.may("conversations:write"):
            raise NotAllowed()
        action = offered(ticket, person, name)
    except SupportBotError as error:
        told |= {"refused": error.message, "written": _written(request)}
        return render_page(request, staff, "desk/proposal.html", told, status=error.status)
    typed, status = request.POST if request.method == "POST" else request.GET, 200
    problems: FieldErrors = {}
    try:
        if request.POST.get("step") in ("check", "send"):
            shown = told["checked"] = checked(ticket, person, action, typed)
            told["has_changed"] = request.POST.get("seen", shown.in_one_line) != shown.in_one_line
            # What is refused by now is told here: proposed, it would be told the customer.
            if request.POST["step"] == "send" and not shown.refusal and not told["has_changed"]:
                ask(ticket, person, action, typed, _proposal_key(request))
                return redirect("desk-ticket", ticket.pk)
    except SupportBotError as error:
        problems, status = error.fields, error.status
        told |= {"checked": None, "problem": error.message}
    told |= _form(ticket, person, action, typed, problems)
    if problems.keys() & {ORDER, *(entry.name for entry in told["entries"])}:
        told["problem"] = ""  # said at its field
    # A key for each look at a card: sent twice it is one, and what was changed since is another.
    return render_page(request, staff, "desk/proposal.html", {**told, "key": uuid4()}, status=status)


def _form(
    ticket: Ticket, person: User, action: WriteAction, typed: Mapping[str, str], problems: FieldErrors
) -> dict[str, Any]:
    orders: list[dict[str, Any]] = []
    with suppress(SupportBotError):  # a number that is typed is asked for all the same, and the refusal then says why
        orders = customer_orders(ticket, person)
    return {
        "orders": orders,
        "order": typed.get(ORDER, ""),
        "order_problems": problems.get(ORDER, []),
        "entries": form_fields(action, typed, problems),
    }


def _written(request: HttpRequest) -> list[str]:
    """Return what was typed into a form that leads nowhere any more, so that it can be copied."""
    typed = [request.POST.get(name, "").strip() for name in request.POST if name not in _CONTROL_FIELDS]
    return [text for text in typed if text]


def _proposal_key(request: HttpRequest) -> UUID:
    try:
        return UUID(request.POST.get("key", ""))
    except ValueError:
        return uuid4()
