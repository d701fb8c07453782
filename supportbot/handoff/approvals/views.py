"""The approvals page: pending requests and the decision on one of them.

A decision is bound to the digest that was shown. If the request has changed since, the person has to decide again.
"""

from typing import Final
from uuid import UUID

from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from actions import services
from actions.errors import DigestMismatch, Expired, NotWaiting
from actions.models import ActionRequest
from actions.policy_store import policy_of
from actions.selectors import request_for
from supportbot.accounts.models import Membership
from supportbot.accounts.principals import Staff
from supportbot.errors import NotAllowed, NotFound, SupportBotError
from supportbot.handoff.approvals.selectors import SHOWN, approval_case, approval_items
from supportbot.handoff.desk.page_frame import agent_required, render_page
from supportbot.handoff.tickets.access import user_of
from supportbot.handoff.tickets.presence import record_presence

_FINDINGS: Final[dict[str, services.Finding]] = {"happened": "happened", "did-not": "did_not"}
# The request changed before the decision: the page reports that and shows the current state.
STALE_DECISION = (DigestMismatch, NotWaiting, Expired)


@require_safe
@agent_required
def approvals(request: HttpRequest, staff: Staff) -> HttpResponse:
    """Show the requests on one tab: those to decide, running or decided."""
    _check_may_read(staff)
    record_presence(user_of(staff))
    return _page(request, staff, None)


@require_safe
@agent_required
def approval(request: HttpRequest, staff: Staff, request_id: UUID) -> HttpResponse:
    """Show one request with everything needed to decide."""
    _check_may_read(staff)
    record_presence(user_of(staff))
    return _page(request, staff, request_for(staff, request_id))


@require_POST
@agent_required
def decide(request: HttpRequest, staff: Staff, request_id: UUID, verdict: str) -> HttpResponse:
    """Approve exactly what was shown, reject it, cancel a held request, or settle one with an unclear outcome."""
    _check_may_read(staff)
    found, person = request_for(staff, request_id), user_of(staff)
    try:
        if not staff.may("actions:approve"):
            raise NotAllowed(gettext("Your role cannot approve actions. Ask a supervisor or an admin."))
        if verdict == "approve":
            services.approve(found.pk, approver=person, digest=request.POST.get("digest", ""))
        elif verdict == "reject":
            services.reject(found.pk, approver=person, **_rejection_reason(request.POST))
        elif verdict == "cancel":
            services.cancel(found.pk, canceller=person)
        elif verdict in _FINDINGS:
            services.settle_by_hand(
                found.pk, outcome=_FINDINGS[verdict], person=person, note=request.POST.get("reason", "")
            )
        else:
            raise NotFound()
    except NotFound:
        raise
    except SupportBotError as error:
        return _page(request, staff, request_for(staff, request_id), error)
    return redirect("desk-approval", request_id)


def _rejection_reason(form: QueryDict) -> dict[str, str]:
    """Return the reason for a rejection, keyed by who may read it: the team or, if chosen in the form, the customer."""
    return {"words" if form.get("reads") == "customer" else "note": form.get("reason", "")}


def _check_may_read(staff: Staff) -> None:
    if not staff.may("actions:read"):
        raise NotFound()


def _page(
    request: HttpRequest, staff: Staff, found: ActionRequest | None, error: SupportBotError | None = None
) -> HttpResponse:
    shown = request.GET.get("show", "")
    shown = shown if shown in SHOWN else _tab_of(found)
    items = approval_items(shown)
    context: dict[str, object] = {
        "items": items,
        "shown": shown,
        "case": approval_case(found, user_of(staff)) if found else None,
        # The link is for admins, because the console lets only them change rules. This package may not import the
        # console's check; a test makes sure that the link works.
        "rules": policy_of(found.action) if found and staff.role == Membership.Role.ADMIN else None,
        "error": error.message if error else "",
        "reason_error": next((text for texts in error.fields.values() for text in texts), "") if error else "",
        "typed": request.POST,
        "has_changed": isinstance(error, STALE_DECISION),
        "running": ActionRequest.objects.filter(state__in=SHOWN["running"]).count(),
    }
    return render_page(request, staff, "desk/approvals.html", context, status=error.status if error else 200)


def _tab_of(found: ActionRequest | None) -> str:
    if found is None:
        return "decide"
    return next((name for name, states in SHOWN.items() if found.state in states), "decided")
