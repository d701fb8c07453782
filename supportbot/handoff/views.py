"""The desk, rendered on the server: log in, see who waits, take one over, answer, give it back. It needs no scripts.

Every step is a POST that calls one service and leads back to the ticket's page. What a step refuses is said on that
page, with what was typed still in its field.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Concatenate, Final, ParamSpec
from uuid import UUID, uuid4

from django.contrib.auth.views import LoginView, LogoutView, redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.timezone import now
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from supportbot.accounts.auth import WORKSPACE_SESSION_KEY
from supportbot.accounts.callers import Staff
from supportbot.accounts.lockout import DeskLogIn
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.selectors import staff_of
from supportbot.chat.access import conversation_for
from supportbot.chat.errors import ClientIdReused
from supportbot.chat.services import add_agent_message, add_note
from supportbot.errors import NotAllowed, NotFound, SupportBotError
from supportbot.handoff import desk, services
from supportbot.handoff.access import person_of, ticket_for
from supportbot.handoff.models import HELD, State, Ticket
from supportbot.handoff.presence import leads, note_presence

REFRESH_SECONDS: Final = 30

P = ParamSpec("P")
Page = Callable[Concatenate[HttpRequest, Staff, P], HttpResponse]


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do with a ticket: the right it needs, and the service that does it."""

    scope: str
    take: Callable[[Ticket, User, str, str], object]


@dataclass(frozen=True, slots=True)
class Typed:
    """What a refused form held, and why it was refused."""

    step: str = ""
    text: str = ""
    error: str = ""
    status: int = 200


STEPS: Final = {
    "claim": Step("tickets:write", lambda ticket, who, text, key: services.claim(ticket.pk, agent=who)),
    "reply": Step(
        "conversations:write",
        lambda ticket, who, text, key: add_agent_message(ticket.conversation_id, text=text, author=who, client_id=key),
    ),
    "note": Step(
        "conversations:write",
        lambda ticket, who, text, key: add_note(ticket.conversation_id, text=text, author=who, client_id=key),
    ),
    "return": Step(
        "tickets:write",
        lambda ticket, who, text, key: services.return_to_assistant(ticket.pk, agent=who, note=text),
    ),
    "resolve": Step("tickets:write", lambda ticket, who, text, key: services.resolve(ticket.pk, agent=who)),
}


def for_the_team(page: Page[P]) -> Callable[..., HttpResponse]:
    """Run a page inside the workspace of a person who may see tickets; others are asked to log in, or told why not."""

    @wraps(page)
    @never_cache
    def scoped(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        if not request.user.is_authenticated:
            here = request.get_full_path() if request.method == "GET" else reverse("desk")
            return redirect_to_login(here, reverse("desk-login"))
        staff = staff_of(request.user, request.session.get(WORKSPACE_SESSION_KEY))
        if staff is None or not (staff.may("tickets:read") and staff.may("conversations:read")):
            return render(request, "desk/no_entry.html", status=403)
        with workspace_scope(staff.workspace_id):
            try:
                return page(request, staff, *args, **kwargs)
            except NotFound as error:
                raise Http404 from error

    return scoped


@require_safe
@for_the_team
def queue(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Who waits, who is with me, who is with colleagues. Whoever reads it counts as present."""
    person = person_of(staff)
    note_presence(person)
    is_live = request.GET.get("refresh") != "off"
    answer = _render(request, staff, "desk/queue.html", {"queue": desk.queue_for(person, now()), "is_live": is_live})
    if is_live:  # a header: the page itself offers to stop it, which a <meta> refresh is not credited with
        answer.headers["Refresh"] = str(REFRESH_SECONDS)
    return answer


@require_safe
@for_the_team
def ticket(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """One ticket with its conversation, and what may be done with it."""
    note_presence(person_of(staff))
    return _ticket_page(request, staff, ticket_for(staff, ticket_id), Typed())


@require_POST
@for_the_team
def take_step(request: HttpRequest, staff: Staff, ticket_id: UUID, name: str) -> HttpResponse:
    """Do one thing with a ticket; the same form sent twice does it once."""
    found, text = ticket_for(staff, ticket_id), request.POST.get("text", "").replace("\r\n", "\n")
    step = STEPS.get(name)
    if step is None:
        raise NotFound()
    try:
        if not staff.may(step.scope):
            raise NotAllowed()
        step.take(found, person_of(staff), text, request.POST.get("client_id", ""))
    except SupportBotError as error:
        typed = Typed(name, text, _in_words(error), error.status)
        return _ticket_page(request, staff, ticket_for(staff, ticket_id), typed)
    return redirect("desk-ticket", ticket_id)


def _in_words(error: SupportBotError) -> str:
    if isinstance(error, ClientIdReused):
        return "This form was sent before, with other words. Send it again to add these as well."
    return " ".join(message for messages in error.fields.values() for message in messages) or error.message


def _ticket_page(request: HttpRequest, staff: Staff, found: Ticket, typed: Typed) -> HttpResponse:
    person = person_of(staff)
    is_mine = desk.is_held_by(found, person)
    context = {
        "ticket": found,
        "reason": desk.reason_in_words(found),
        "waited": desk.how_long(now() - found.waiting_since),
        "lines": desk.lines_of(conversation_for(staff, found.conversation_id)),
        "most_lines": desk.MOST_LINES,
        "is_waiting": found.state == State.WAITING,
        "is_mine": is_mine,
        "may_settle": is_mine or (found.state in HELD and leads(person)),
        "typed": typed,
        "client_id": uuid4(),
    }
    return _render(request, staff, "desk/ticket.html", context, status=typed.status)


def _render(
    request: HttpRequest, staff: Staff, template: str, context: dict[str, object], *, status: int = 200
) -> HttpResponse:
    house = {"staff": staff, "workspace": Workspace.objects.get(pk=staff.workspace_id)}
    return render(request, template, {**context, **house}, status=status)


urls = [
    path("", queue, name="desk"),
    path(
        "log-in/",
        LoginView.as_view(template_name="desk/login.html", next_page="desk", authentication_form=DeskLogIn),
        name="desk-login",
    ),
    path("log-out/", LogoutView.as_view(next_page="desk-login"), name="desk-logout"),
    path("tickets/<uuid:ticket_id>/", ticket, name="desk-ticket"),
    path("tickets/<uuid:ticket_id>/<slug:name>/", take_step, name="desk-step"),
]
