"""Page passes (`hp_…`), which the hosted chat page keeps in memory instead of an identity token or visitor secret.

This installation signs a pass for one customer on one channel. It is valid for an hour at most, and never longer than
the credential it is based on. It works like an identity token, but cannot be used to get a new pass.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.core import signing
from django.utils.timezone import now

from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.models import Channel, Customer
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import across_workspaces

PREFIX: Final = "hp_"
MAX_LIFE: Final = timedelta(hours=1)
_SALT: Final = "supportbot.page-pass"


@dataclass(frozen=True, slots=True)
class PagePass:
    """A new pass, which is shown only once."""

    text: str
    expires_at: datetime


def make_page_pass(caller: CustomerCaller) -> PagePass:
    """Return a pass for a customer on their channel."""
    assert caller.channel_id is not None
    ends = now() + MAX_LIFE
    if caller.expires_at is not None:
        ends = min(ends, caller.expires_at)
    content = {
        "workspace": str(caller.workspace_id),
        "channel": str(caller.channel_id),
        "customer": str(caller.customer_id),
        "is_verified": caller.is_verified,
        "ends": int(ends.timestamp()),
    }
    return PagePass(PREFIX + signing.dumps(content, salt=_SALT), ends)


def caller_of_page_pass(text: str) -> CustomerCaller:
    """Return the customer of a pass; raises InvalidToken if it is forged or expired, or if the customer was deleted."""
    content = _content(text)
    ends = datetime.fromtimestamp(content["ends"], UTC)
    if ends <= now():
        raise InvalidToken("This page's session has expired. Open the chat again from the shop.")
    caller = CustomerCaller(
        UUID(content["workspace"]),
        UUID(content["customer"]),
        is_verified=content["is_verified"],
        channel_id=UUID(content["channel"]),
        expires_at=ends if content["is_verified"] else None,
        is_hosted=True,
    )
    _check_still_there(caller, UUID(content["channel"]))
    return caller


def _content(text: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = signing.loads(text.removeprefix(PREFIX), salt=_SALT, max_age=MAX_LIFE)
    except signing.SignatureExpired as error:
        raise InvalidToken("This page's session has expired. Open the chat again from the shop.") from error
    except (signing.BadSignature, UnicodeEncodeError) as error:
        raise InvalidToken("The page pass is not valid.") from error
    return content


def _check_still_there(caller: CustomerCaller, channel_id: UUID) -> None:
    with across_workspaces("look-up by page pass"):
        customers = Customer.objects.filter(pk=caller.customer_id, workspace_id=caller.workspace_id)
        channels = Channel.objects.filter(pk=channel_id, workspace_id=caller.workspace_id, is_live=True)
        if not (customers.exists() and channels.exists()):
            raise InvalidToken("The page pass is for a chat that no longer exists.")
