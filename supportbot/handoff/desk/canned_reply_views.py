"""The pages for canned replies: a list, and a form to create or change one."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from supportbot.accounts.principals import Staff
from supportbot.errors import InvalidInput, NotFound
from supportbot.handoff.desk.canned_replies import delete_reply, matching_replies, save_reply
from supportbot.handoff.desk.page_frame import agent_required, render_page
from supportbot.handoff.models import CannedReply
from supportbot.handoff.tickets.access import ticket_for, user_of
from supportbot.values_saved_meanwhile import SEALED, Texts, as_texts, merge, said_of, seal

LANGUAGES = (("", _("All languages")), *settings.LANGUAGES)


@require_http_methods(["GET", "HEAD", "POST"])
@agent_required
def replies(request: HttpRequest, staff: Staff) -> HttpResponse:
    """List all replies; a POST creates one."""
    return _form(request, staff, None)


@require_http_methods(["GET", "HEAD", "POST"])
@agent_required
def reply(request: HttpRequest, staff: Staff, reply_id: UUID) -> HttpResponse:
    """Show one reply in a form; a POST changes it."""
    found = CannedReply.objects.filter(pk=reply_id).first()
    if found is None:
        raise NotFound()
    return _form(request, staff, found)


@require_POST
@agent_required
def delete(request: HttpRequest, staff: Staff, reply_id: UUID) -> HttpResponse:
    _check_may_write(staff)
    delete_reply(reply_id)
    return redirect("desk-replies")


@require_safe
@agent_required
def suggestions(request: HttpRequest, staff: Staff, ticket_id: UUID) -> HttpResponse:
    """Return the canned replies that match the query, filled in for this customer."""
    conversation = ticket_for(staff, ticket_id).conversation
    found = matching_replies(conversation, user_of(staff), request.GET.get("q", "")[:100])
    return JsonResponse({"replies": [reply.as_json() for reply in found]})


def _form(request: HttpRequest, staff: Staff, found: CannedReply | None) -> HttpResponse:
    values = stored = {"title": found.title, "text": found.text, "locale": found.locale} if found else {}
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        _check_may_write(staff)
        values = {name: request.POST.get(name, "").replace("\r\n", "\n") for name in ("title", "text", "locale")}
        if values["locale"] not in dict(LANGUAGES):
            values["locale"] = ""
        try:
            merged = merge(request.POST.get(SEALED, ""), entered=_texts(values), stored=_texts(stored))
            values |= {name: "".join(newer) for name, newer in merged.kept.items()}
            if merged.disputed:
                raise InvalidInput(fields={name: [said_of(newer)] for name, newer in merged.disputed.items()})
            save_reply(**values, reply_id=found.pk if found else None)
            return redirect("desk-replies")
        except InvalidInput as error:
            errors = error.fields
    context: dict[str, object] = {
        "replies": CannedReply.objects.all(),
        "changed": found,
        "values": values,
        "errors": errors,
        "sealed": seal(_texts(stored)),
        "languages": LANGUAGES,
        "may_write": staff.may("conversations:write"),
    }
    return render_page(request, staff, "desk/replies.html", context, status=400 if errors else 200)


def _texts(values: dict[str, str]) -> dict[str, Texts]:
    return {name: as_texts(text) for name, text in values.items()}


def _check_may_write(staff: Staff) -> None:
    if not staff.may("conversations:write"):
        raise NotFound()
