"""Links to pages where customers confirm what an external agent proposes.

A link's code is in its URL's fragment, which browsers do not send, so it never reaches a log. It can be redeemed once,
on its channel, before the card expires. The page gets a pass for this one request and nothing else. Both the code and
the pass become invalid together with the agent's API key. As with every confirmation, the customer's identity must also
still be valid.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.conf import settings
from django.db.models import Q
from django.utils.timezone import now

from actions.models import ActionRequest
from supportbot.accounts.models import ApiKey, Channel, hash_secret
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import across_workspaces
from supportbot.mcp.callers import Represented
from supportbot.mcp.errors import LinkRefused
from supportbot.mcp.models import ConfirmationLink

PASS_LIFE: Final = timedelta(hours=1)
RETENTION: Final = timedelta(hours=2)  # how long a link outlives its code, because an opened page works for an hour


@dataclass(frozen=True, slots=True)
class OpenedLink:
    """One request, and its customer, on our page. Use only what the page may show."""

    request: ActionRequest
    caller: CustomerCaller


def issue_link(request: ActionRequest, customer: Represented) -> str:
    """Return the URL of a page for a card that is waiting for its customer. Each call creates a new link."""
    identity_expires_at, card_expires_at = customer.caller.expires_at, request.expires_at
    assert identity_expires_at is not None and card_expires_at is not None
    code = f"cl_{secrets.token_urlsafe(32)}"
    ConfirmationLink.objects.create(
        code_hash=hash_secret(code),
        request_id=request.pk,
        key_id=customer.key_id,
        channel=customer.channel,
        customer_id=customer.caller.customer_id,
        identity_expires_at=identity_expires_at,
        expires_at=min(identity_expires_at, card_expires_at),
    )
    return f"{settings.BASE_URL}/confirm/{customer.channel.key}/#code={code}"


def open_link(channel: Channel, code: str) -> str:
    """Exchange a code for the page's pass. Every invalid code raises the same LinkRefused."""
    page_pass = f"cp_{secrets.token_urlsafe(32)}"
    unused = ConfirmationLink.objects.filter(
        _has_live_key(), code_hash=hash_secret(code), channel=channel, opened_at=None
    )
    # If two pages arrive at once, the conditional UPDATE decides which one wins.
    if not unused.filter(expires_at__gt=now()).update(opened_at=now(), pass_hash=hash_secret(page_pass)):
        raise LinkRefused()
    return page_pass


def opened_link(channel: Channel, page_pass: str) -> OpenedLink:
    """Return the request that a page's pass is valid for. Raises LinkRefused."""
    is_fresh = Q(opened_at__gt=now() - PASS_LIFE)
    own = ConfirmationLink.objects.filter(pass_hash=hash_secret(page_pass), channel=channel)
    link = own.filter(is_fresh, _has_live_key()).first()
    request = ActionRequest.objects.filter(pk=link.request_id, customer_id=link.customer_id).first() if link else None
    if link is None or request is None:
        raise LinkRefused()
    caller = CustomerCaller(
        link.workspace_pk,
        link.customer_id,
        is_verified=True,
        channel_id=link.channel_id,
        expires_at=link.identity_expires_at,
        is_hosted=True,
    )
    return OpenedLink(request, caller)


def _has_live_key() -> Q:
    """Return the condition that the agent's key is neither revoked nor expired.

    Links created by version 0.1 have no key.
    """
    live = ApiKey.objects.filter(revoked_at=None).exclude(expires_at__lte=now())
    return Q(key_id=None) | Q(key_id__in=live.values("pk"))


def purge_links() -> int:
    """Delete links that nobody can use any longer; return how many there were."""
    with across_workspaces("purge of expired links"):
        deleted, _ = ConfirmationLink.objects.filter(expires_at__lt=now() - RETENTION).delete()
    return deleted
