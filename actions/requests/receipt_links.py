"""A receipt's address: anyone who has it can see the state of one request until the address expires. The address is
signed and names only the request. It gives access to nothing else, and allows no actions.
"""

from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, TimestampSigner

from actions.cards import iso_datetime, receipt_rows, receipt_title
from actions.models import ActionRequest
from actions.requests.undo import offer_of
from actions.states import State
from supportbot.accounts.scope import across_workspaces
from supportbot.translation import text_in

LIFE: Final = timedelta(days=90)
_SALT: Final = "actions.receipt"


def receipt_url(request: ActionRequest) -> str:
    """Return the address of a request's page, valid for `LIFE` from now."""
    return f"{settings.BASE_URL}/receipts/{TimestampSigner(salt=_SALT).sign(str(request.pk))}/"


def receipt_block(request: ActionRequest) -> dict[str, Any] | None:
    """Return a block of a message that shows what was done, or may have been, and links to a page with the current
    state; None for a request without a receipt.
    """
    if request.state not in (State.SUCCEEDED, State.UNKNOWN):
        return None
    offer = offer_of(request)
    undo = {"label": offer.action.title_in(request.locale), "until": iso_datetime(offer.until)} if offer else None
    return {
        "type": "receipt",
        "request": str(request.pk),
        "title": receipt_title(request, request.locale),
        "rows": [{"label": row.label, "value": row.value} for row in receipt_rows(request)],
        "link": {"url": receipt_url(request), "label": text_in(request.locale, "Receipt and current status")},
        **({"undo": undo} if undo else {}),
    }


def request_of_receipt(token: str) -> ActionRequest | None:
    """Return the request that a receipt's address names; None if the address is not signed by us or too old, or if the
    request is gone.
    """
    try:
        key = UUID(TimestampSigner(salt=_SALT).unsign(token, max_age=LIFE))
    except (BadSignature, ValueError):
        return None
    with across_workspaces("a receipt names its request by itself"):
        return ActionRequest.objects.select_related("workspace").filter(pk=key).first()
