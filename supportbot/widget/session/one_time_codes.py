"""One-time codes, which carry a customer's identity from a merchant's page to the hosted chat page.

Invariants: a conditional UPDATE ensures that a code can be redeemed only once, within a minute, on its channel. The
code is in the URL's fragment, which browsers do not send, so it never reaches a log. The pass that it is exchanged for
expires no later than the identity.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now

from supportbot.accounts import hosted_page_credentials
from supportbot.accounts.channels import hosted_url
from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.hosted_page_credentials import PagePass, make_page_pass
from supportbot.accounts.models import Channel, hash_secret
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat.event_log import lock_conversation
from supportbot.chat.services import start_conversation
from supportbot.errors import InvalidInput, NotFound
from supportbot.widget.errors import CodeRefused
from supportbot.widget.models import PageCode
from supportbot.widget.session.tickets import (
    IssuedTicket,
    TicketRequest,
    authenticate,
    blaming_fields,
    issue_to,
    requested_conversation,
)
from supportbot.widget.throttles import count_ticket

LIFETIME: Final = timedelta(seconds=60)
RETENTION_AFTER_EXPIRY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """The hosted page's URL. It contains the code, which is not shown again."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Redeemed:
    ticket: IssuedTicket
    page_pass: PagePass


def issue_code(request: TicketRequest) -> IssuedCode:
    """Issue a code for a customer who has a valid credential. If it is invalid, raises the errors of `issue_ticket`."""
    with blaming_fields():
        return _issue_code(request)


@transaction.atomic
def _issue_code(request: TicketRequest) -> IssuedCode:
    if not (request.token or request.visitor):
        raise InvalidInput(fields={"token": ["Send a token or a visitor's secret: a code carries an identity."]})
    if request.token.startswith(hosted_page_credentials.PREFIX):
        raise InvalidToken("A page's pass cannot be used to request a code. Send an identity token.")
    with workspace_scope(request.channel.workspace_pk):
        caller, _ = authenticate(request)
        count_ticket(caller.customer_id)
        conversation = requested_conversation(request, caller)
        secret = f"hc_{secrets.token_urlsafe(32)}"
        row = PageCode.objects.create(
            secret_hash=hash_secret(secret),
            channel=request.channel,
            customer_id=caller.customer_id,
            conversation=conversation,
            is_verified=caller.is_verified,
            identity_expires_at=caller.expires_at,
            expires_at=now() + LIFETIME,
        )
    return IssuedCode(f"{hosted_url(request.channel.key)}#code={secret}", row.expires_at)


@transaction.atomic
def redeem_code(channel: Channel, *, code: str, origin: str, locale: str = "") -> Redeemed:
    """Exchange a code for a ticket and a pass. Every invalid code raises the same CodeRefused."""
    with workspace_scope(channel.workspace_pk):
        row = _use(channel, code)
        caller = CustomerCaller(
            channel.workspace_pk,
            row.customer_id,
            is_verified=row.is_verified,
            channel_id=channel.pk,
            expires_at=row.identity_expires_at,
        )
        request = TicketRequest(channel, origin, locale=locale)
        conversation = row.conversation or start_conversation(
            caller.customer_id, channel_id=channel.pk, locale=request.language
        )
        return Redeemed(issue_to(request, caller, conversation), make_page_pass(caller))


def _use(channel: Channel, code: str) -> PageCode:
    fresh = Q(identity_expires_at=None) | Q(identity_expires_at__gt=now())
    codes = PageCode.objects.filter(secret_hash=hash_secret(code), channel=channel)
    _lock_conversation_of(codes)
    # If two pages redeem the code at once, the conditional UPDATE decides which one wins.
    if not codes.filter(fresh, used_at=None, expires_at__gt=now()).update(used_at=now()):
        raise CodeRefused()
    row: PageCode = codes.select_related("conversation").get()
    if row.conversation is not None and row.conversation.customer_id != row.customer_id:
        raise CodeRefused()  # the conversation has since been bound to another customer
    return row


def _lock_conversation_of(codes: QuerySet[PageCode]) -> None:
    """Lock a code's conversation before the code, which is the order in which an erasure locks them."""
    for conversation_id in codes.exclude(conversation=None).values_list("conversation_id", flat=True):
        try:
            lock_conversation(conversation_id)
        except NotFound as error:
            raise CodeRefused() from error


def purge_codes() -> int:
    """Delete codes that expired more than an hour ago; return how many there were."""
    with across_workspaces("purge of expired codes"):
        deleted, _ = PageCode.objects.filter(expires_at__lt=now() - RETENTION_AFTER_EXPIRY).delete()
    return deleted
