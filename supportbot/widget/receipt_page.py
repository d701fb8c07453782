"""`/receipts/<address>/`: the state of one request, for anyone with the link on its receipt.

The page needs no login and has no buttons. It shows the request's title, the order, the amount, the day and the
receipt, and no other customer data. It reloads itself until the outcome is known.
"""

from collections.abc import Iterator
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import path
from django.utils.timezone import localtime
from django.views.decorators.http import require_safe

from actions.cards import receipt_rows, receipt_title
from actions.facts import ORDER
from actions.models import ActionRequest
from actions.money import format_money
from actions.requests.receipt_links import request_of_receipt
from actions.requests.reevaluation import money_in
from actions.requests.undo import undone_by
from actions.states import FINAL, State
from supportbot.accounts.scope import workspace_scope
from supportbot.formats import format_day, in_region, text_direction
from supportbot.translation import SOURCE_LANGUAGE, language_of, msgid, text_in

RELOAD_SECONDS: Final = 15
_STATES: Final[dict[State, str]] = {
    State.SUCCEEDED: msgid("Done"),
    State.FAILED: msgid("Not done"),
    State.REFUSED: msgid("Not possible"),
    State.CANCELLED: msgid("Not carried out"),
    State.EXPIRED: msgid("Expired"),
    State.REJECTED: msgid("Not approved"),
    State.UNKNOWN: msgid("Checking the result"),
    State.EXECUTING: msgid("Contacting our system"),
    State.QUEUED: msgid("Contacting our system"),
}
# Fields of a built-in action's receipt. The postal address is left out because the page needs no login.
_RECEIPT: Final = {"to": msgid("Refunded to"), "reference": msgid("Reference")}
_POLICY: Final = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'"


@require_safe
def receipt_page(http: HttpRequest, token: str) -> HttpResponse:
    request = request_of_receipt(token)
    if request is None:
        text = text_in(SOURCE_LANGUAGE, "This receipt does not exist, or its link has expired.")
        return _response({"language": SOURCE_LANGUAGE, "direction": "ltr", "title": text}, 404)
    language = language_of(request.locale)
    with workspace_scope(request.workspace_pk):
        context: dict[str, object] = {
            "language": language,
            "direction": text_direction(language),
            "name": request.workspace.name,
            "title": receipt_title(request, language),
            "state": text_in(language, _state(request)),
            "rows": list(_rows(request, in_region(language, request.locale))),
            "reload_seconds": None if request.state in FINAL else RELOAD_SECONDS,
        }
    return _response(context, 200)


def _state(request: ActionRequest) -> str:
    if undone_by(request, (State.SUCCEEDED,)):
        return msgid("Undone")
    return _STATES.get(State(request.state), msgid("In review"))


def _rows(request: ActionRequest, language: str) -> Iterator[tuple[str, str]]:
    if request.subject_kind == ORDER:
        yield text_in(language, "Order"), request.subject_id
    money = money_in(request)
    amount = (text_in(language, "Amount"), format_money(money, language)) if money is not None else None
    if amount is not None:
        yield amount
    rows = receipt_rows(request, language)
    yield from (line for row in rows if (line := (row.label, row.value)) != amount)
    if request.state == State.SUCCEEDED:
        yield text_in(language, "Date"), format_day(localtime(request.changed_at).date(), language)
    if undo := undone_by(request, (State.SUCCEEDED,)):
        yield receipt_title(undo, language), format_day(localtime(undo.changed_at).date(), language)
    receipt = {} if rows else request.receipt or {}
    for name, label in _RECEIPT.items():
        if receipt.get(name):
            yield text_in(language, label), str(receipt[name])


def _response(context: dict[str, object], status: int) -> HttpResponse:
    response = HttpResponse(render_to_string("widget/receipt.html", context), status=status)
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Content-Language"] = str(context["language"])
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


urls = [path("receipts/<str:token>/", receipt_page, name="receipt")]
