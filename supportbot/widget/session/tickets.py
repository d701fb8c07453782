"""Tickets, which open sockets. Access is checked when a ticket is issued, and again when it is redeemed."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from supportbot.accounts.customers import customer_by_token, customer_by_visitor_secret, new_visitor
from supportbot.accounts.errors import InvalidToken, InvalidVisitor
from supportbot.accounts.models import Channel, hash_secret
from supportbot.accounts.origins import own_origins
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.chat.access import conversation_for
from supportbot.chat.event_log import lock_conversation, touch
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.errors import NotFound
from supportbot.formats import with_region
from supportbot.widget.access_audit import record_denied_access
from supportbot.widget.errors import OriginRefused, TicketRefused
from supportbot.widget.models import SocketTicket
from supportbot.widget.session.sign_in import bind
from supportbot.widget.throttles import count_new_visitor, count_ticket

LIFETIME: Final = timedelta(seconds=60)
RETENTION_AFTER_EXPIRY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class TicketRequest:
    """A page's request for a ticket. Its strings are untrusted, except for `origin`, which the browser sets."""

    channel: Channel
    origin: str
    token: str = ""
    visitor: str = ""
    conversation: UUID | None = None
    locale: str = ""

    @property
    def language(self) -> str:
        """The locale of a conversation started with this ticket. Its region decides how dates and times are written."""
        channel = self.channel
        return with_region(self.locale or channel.locale, channel.locale, channel.workspace.locale)


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """The secret of a ticket and, if a new visitor was created, the visitor's secret. Neither is shown again."""

    secret: str
    expires_at: datetime
    conversation: Conversation
    visitor: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """One customer's access to one conversation, through a socket."""

    workspace_id: UUID
    channel_id: UUID
    conversation_id: UUID
    locale: str
    caller: CustomerCaller


def issue_ticket(request: TicketRequest) -> IssuedTicket:
    """Issue a ticket for the named conversation or, if none is named, a new one.

    Raises InvalidToken or InvalidVisitor if the credential is invalid, NotFound if the conversation does not exist or
    belongs to another customer (the caller cannot tell which), and TooManyTickets.
    """
    with blaming_fields():
        return _issue_ticket(request)


@contextmanager
def blaming_fields() -> Iterator[None]:
    """Within this block, add to each error the name of the request's field that caused it."""
    try:
        yield
    except InvalidToken as error:
        raise InvalidToken(error.message, fields={"token": [error.message]}) from error
    except InvalidVisitor as error:
        raise InvalidVisitor(error.message, fields={"visitor": [error.message]}) from error
    except (NotFound, IntegrityError) as error:  # IntegrityError if it was erased before the commit
        raise NotFound(fields={"conversation": [NotFound.default_message]}) from error


@transaction.atomic
def _issue_ticket(request: TicketRequest) -> IssuedTicket:
    with workspace_scope(request.channel.workspace_pk):
        caller, visitor = authenticate(request)
        if visitor is None:
            count_ticket(caller.customer_id)
        conversation = requested_conversation(request, caller) or start_conversation(
            caller.customer_id, channel_id=request.channel.pk, locale=request.language
        )
        return issue_to(request, caller, conversation, visitor)


def authenticate(request: TicketRequest) -> tuple[CustomerCaller, str | None]:
    """Return the caller and, if a new visitor was created, their secret."""
    if request.token:
        return customer_by_token(request.channel, request.token), None
    if request.visitor:
        return _visitor(request), None
    if request.conversation is not None:  # there is no credential
        raise NotFound()
    count_new_visitor(request.channel.pk)
    created = new_visitor(request.channel, locale=request.language)
    return CustomerCaller(request.channel.workspace_pk, created.customer.pk, is_verified=False), created.secret


def _visitor(request: TicketRequest) -> CustomerCaller:
    try:
        caller = customer_by_visitor_secret(request.visitor)
        if caller.workspace_id != request.channel.workspace_id:
            raise InvalidVisitor()
    except InvalidVisitor:
        if request.conversation is not None:  # a wrong secret reveals no more than a missing one
            raise NotFound() from None
        raise
    return caller


def requested_conversation(request: TicketRequest, caller: CustomerCaller) -> Conversation | None:
    """Return the named conversation, or None if none is named. Raises NotFound if the caller may not continue it."""
    if request.conversation is None:
        return None
    return _on_channel(_owned(request, request.conversation, caller), request.channel)


def _owned(request: TicketRequest, conversation_id: UUID, caller: CustomerCaller) -> Conversation:
    """Return the caller's conversation. If they send a token together with a visitor's secret, the visitor's
    conversation becomes theirs.
    """
    try:
        return conversation_for(caller, conversation_id)
    except NotFound:
        if not (caller.is_verified and request.visitor):
            raise
    conversation_for(_visitor(request), conversation_id)
    return bind(conversation_id, caller)


def _on_channel(conversation: Conversation, channel: Channel) -> Conversation:
    """Return the conversation with its channel set. A conversation that was started over REST has none yet."""
    if conversation.channel_id is None:
        conversation = lock_conversation(conversation.pk)
        touch(conversation, channel_id=conversation.channel_id or channel.pk)
    return conversation


def issue_to(
    request: TicketRequest, caller: CustomerCaller, conversation: Conversation, visitor: str | None = None
) -> IssuedTicket:
    """Issue a ticket to a caller who may open the conversation."""
    secret = f"st_{secrets.token_urlsafe(32)}"
    row = SocketTicket.objects.create(
        secret_hash=hash_secret(secret),
        channel=request.channel,
        customer_id=caller.customer_id,
        conversation=conversation,
        origin=request.origin,
        is_verified=caller.is_verified,
        identity_expires_at=caller.expires_at,
        expires_at=now() + LIFETIME,
    )
    return IssuedTicket(secret, row.expires_at, conversation, visitor)


def redeem_ticket(secret: str, *, origin: str) -> Session:
    """Use up a ticket and return its session. Raises TicketRefused, or OriginRefused if the ticket was issued to a
    different origin.

    A ticket that arrives from a different origin has been stolen, so it is used up in this case too.
    """
    with across_workspaces("look-up by ticket"):
        tickets = SocketTicket.objects.filter(secret_hash=hash_secret(secret))
        # If two sockets redeem the ticket at once, the conditional UPDATE decides which one wins.
        if not tickets.filter(used_at=None, expires_at__gt=now()).update(used_at=now()):
            raise TicketRefused()
        ticket = tickets.select_related("workspace", "channel", "conversation").first()
        # None if the ticket was just erased with its conversation.
        if ticket is None or not ticket.channel.is_live or ticket.conversation.customer_id != ticket.customer_id:
            raise TicketRefused()
    if ticket.origin != origin:
        error = OriginRefused("This ticket was issued to another origin.")
        record_denied_access(error, workspace_id=ticket.workspace_pk, channel_id=ticket.channel_id)
        raise error
    return _session(ticket)


def _session(ticket: SocketTicket) -> Session:
    caller = CustomerCaller(
        ticket.workspace.pk,
        ticket.customer_id,
        is_verified=ticket.is_verified,
        channel_id=ticket.channel_id,
        expires_at=ticket.identity_expires_at,
        is_hosted=ticket.origin in own_origins(),
    )
    return Session(ticket.workspace.pk, ticket.channel_id, ticket.conversation_id, ticket.conversation.locale, caller)


def purge_tickets() -> int:
    """Delete tickets that expired more than an hour ago; return how many there were."""
    with across_workspaces("purge of expired tickets"):
        deleted, _ = SocketTicket.objects.filter(expires_at__lt=now() - RETENTION_AFTER_EXPIRY).delete()
    return deleted
