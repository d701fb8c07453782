"""Handles the frames after the greeting.

Each is one service call on behalf of the customer, with one hop to the database.
"""

import asyncio
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar, assert_never
from uuid import UUID

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import runner
from supportbot.assistant.vector_prefetch import prefetch_vectors
from supportbot.async_db import db, outside
from supportbot.chat.access import conversation_for
from supportbot.chat.rate_limit import choose, retry, send_message, submit
from supportbot.chat.services import Receipt
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import Typing
from supportbot.chat.turns import Slot, request_stop
from supportbot.errors import NotFound
from supportbot.handoff.tickets import services as handoff
from supportbot.widget.errors import AttachmentsNotSupported
from supportbot.widget.services import confirm, decline, rate, stop_waiting, undo
from supportbot.widget.session.tickets import Session
from supportbot.widget.socket.protocol import (
    Ack,
    CancelHuman,
    Choose,
    Command,
    Confirm,
    CustomerMessage,
    CustomerTyping,
    Decline,
    Rate,
    RequestHuman,
    Retry,
    Stop,
    Submit,
    Undo,
)

P = ParamSpec("P")
T = TypeVar("T")


async def on_behalf(
    session: Session, service: Callable[Concatenate[UUID, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run a service on the session's conversation. Raises NotFound if it no longer belongs to this customer."""
    with workspace_scope(session.workspace_id):
        return await db(_checked, session, lambda conversation_id: service(conversation_id, *args, **kwargs))


async def on_behalf_outside(
    session: Session, service: Callable[Concatenate[UUID, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Like `on_behalf`, but for a service that calls the shop's system."""
    with workspace_scope(session.workspace_id):
        return await outside(_checked, session, lambda conversation_id: service(conversation_id, *args, **kwargs))


def _checked(session: Session, service: Callable[[UUID], T]) -> T:
    conversation_for(session.caller, session.conversation_id)
    return service(session.conversation_id)


def _stored(session: Session, text: str, client_id: str, slot: Slot | None) -> Receipt:
    """Store a message.

    Unlike `_checked`, this reads the conversation only once: access is checked when it is locked.
    """
    conversation_id, caller = session.conversation_id, session.caller
    try:
        return send_message(conversation_id, text=text, client_id=client_id, sender=caller, slot=slot)
    except NotFound:
        conversation_for(caller, conversation_id)  # audits the refusal: the transaction rolled the first entry back
        raise


async def run_command(command: Command, session: Session) -> Ack | None:
    """Run the client's command. Return the `ack` if a message was stored. Raises the service's error."""
    match command:
        case CustomerMessage(has_attachments=True):
            raise AttachmentsNotSupported()
        case CustomerMessage(client_id=client_id, text=text):
            sending = asyncio.create_task(_send(session, text, client_id))
            return await asyncio.shield(sending)  # if the socket is closed meanwhile, the claimed turn still begins
        case Choose(client_id=client_id, block=block, option=option):
            receipt = await on_behalf(session, choose, block=block, option=option, client_id=client_id)
            return Ack(client_id, receipt.seq)
        case Submit(client_id=client_id, block=block, values=values):
            receipt = await on_behalf(session, submit, block=block, values=values, client_id=client_id)
            return Ack(client_id, receipt.seq)
        case Stop():
            await on_behalf(session, request_stop)
        case Retry(message=message):
            await on_behalf(session, retry, message)
        case RequestHuman(reason=reason):
            await on_behalf(session, handoff.request, reason="customer_asked", by="customer", summary=reason)
        case CancelHuman():
            await on_behalf(session, stop_waiting)
        case Rate(score=score, comment=comment, message=message_id, reason=reason):
            await on_behalf(session, rate, score=score, comment=comment, message_id=message_id, reason=reason)
        case Confirm(request=request, digest=digest):
            await on_behalf_outside(session, confirm, caller=session.caller, request=request, digest=digest)
        case Decline(request=request):
            await on_behalf(session, decline, caller=session.caller, request=request)
        case Undo(request=request):
            await on_behalf_outside(session, undo, caller=session.caller, request=request)
        case CustomerTyping():
            signal_broker().publish(session.conversation_id, Typing("", "customer"))
        case _:
            assert_never(command)
    return None


async def _send(session: Session, text: str, client_id: str) -> Ack:
    """Store a message while this process's runner keeps a slot free for its turn."""
    with runner.slot() as slot, workspace_scope(session.workspace_id):
        receipt = await db(_stored, session, text, client_id, slot)
        if receipt.is_new:  # only new messages are rate-limited, and a vector costs more than a message
            prefetch_vectors(session.conversation_id, text)  # before the turn begins, which waits for them
    return Ack(client_id, receipt.seq)
