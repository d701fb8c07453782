"""One-time codes: a customer's identity on its way from a merchant's page to our own chat page.

Invariants: a code is redeemed once, within a minute, on its channel (conditional UPDATE). The address carries it in the
fragment, which browsers keep to themselves, so no log has it. What comes out lives no longer than what went in.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now

from supportbot.accounts import pagepass
from supportbot.accounts.callers import CustomerCaller
from supportbot.accounts.embedding import hosted_url
from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.models import Channel, hash_secret
from supportbot.accounts.pagepass import PagePass, make_page_pass
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat.log import lock_conversation
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.errors import InvalidInput, NotFound
from supportbot.widget.errors import CodeRefused
from supportbot.widget.models import PageCode
from supportbot.widget.session.tickets import (
    IssuedTicket,
    TicketRequest,
    conversation_asked_for,
    fields_named,
    issue_to,
    who_asks,
)
from supportbot.widget.throttles import count_ticket

LIFE: Final = timedelta(seconds=60)
KEPT_AFTER_EXPIRY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class IssuedCode:
    """Where the page is to be opened; the code in it is shown this once."""

    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Redeemed:
    ticket: IssuedTicket
    page_pass: PagePass


def issue_code(asked: TicketRequest) -> IssuedCode:
    """Issue a code for a customer who proves who they are; raises what `issue_ticket` raises for a bad proof."""
    with fields_named():
        return _issue_code(asked)


@transaction.atomic
def _issue_code(asked: TicketRequest) -> IssuedCode:
    if not (asked.token or asked.visitor):
        raise InvalidInput(fields={"token": ["A code carries an identity: give a token, or the visitor's secret."]})
    if asked.token.startswith(pagepass.PREFIX):
        raise InvalidToken("A page's pass makes no code: give an identity token.")
    with workspace_scope(asked.channel.workspace_pk):
        caller, _ = who_asks(asked)
        count_ticket(caller.customer_id)
        conversation = conversation_asked_for(asked, caller)
        secret = f"hc_{secrets.token_urlsafe(32)}"
        row = PageCode.objects.create(
            secret_hash=hash_secret(secret),
            channel=asked.channel,
            customer_id=caller.customer_id,
            conversation=conversation,
            is_verified=caller.is_verified,
            identity_expires_at=caller.expires_at,
            expires_at=now() + LIFE,
        )
    return IssuedCode(f"{hosted_url(asked.channel.key)}#code={secret}", row.expires_at)


@transaction.atomic
def redeem_code(channel: Channel, *, code: str, origin: str, locale: str = "") -> Redeemed:
    """Use a code up for a ticket and a pass. Raises CodeRefused, the same for every code that is not good here."""
    with workspace_scope(channel.workspace_pk):
        row = _used_up(channel, code)
        caller = CustomerCaller(
            channel.workspace_pk,
            row.customer_id,
            is_verified=row.is_verified,
            channel_id=channel.pk,
            expires_at=row.identity_expires_at,
        )
        asked = TicketRequest(channel, origin, locale=locale)
        conversation = row.conversation or _begin(asked, caller)
        return Redeemed(issue_to(asked, caller, conversation), make_page_pass(caller))


def _used_up(channel: Channel, code: str) -> PageCode:
    fresh = Q(identity_expires_at=None) | Q(identity_expires_at__gt=now())
    codes = PageCode.objects.filter(secret_hash=hash_secret(code), channel=channel)
    _lock_conversation_of(codes)
    # The conditional UPDATE decides between two pages that come at once.
    if not codes.filter(fresh, used_at=None, expires_at__gt=now()).update(used_at=now()):
        raise CodeRefused()
    row: PageCode = codes.select_related("conversation").get()
    if row.conversation is not None and row.conversation.customer_id != row.customer_id:
        raise CodeRefused()  # bound to somebody else meanwhile
    return row


def _lock_conversation_of(codes: QuerySet[PageCode]) -> None:
    """Lock the conversation a code leads to before the code itself, as an erasure does."""
    for conversation_id in codes.exclude(conversation=None).values_list("conversation_id", flat=True):
        try:
            lock_conversation(conversation_id)
        except NotFound as error:
            raise CodeRefused() from error


def _begin(asked: TicketRequest, caller: CustomerCaller) -> Conversation:
    return start_conversation(caller.customer_id, channel_id=asked.channel.pk, locale=asked.language)


def purge_codes() -> int:
    """Delete codes that expired an hour ago; return how many."""
    with across_workspaces("purge of expired codes"):
        deleted, _ = PageCode.objects.filter(expires_at__lt=now() - KEPT_AFTER_EXPIRY).delete()
    return deleted
