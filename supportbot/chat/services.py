"""All changes that people make to a conversation, with validated texts. The assistant's changes are in `turns`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Protocol, cast
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from supportbot import sql
from supportbot.accounts.models import User
from supportbot.accounts.principals import Caller, CustomerCaller
from supportbot.accounts.scope import current_workspace_id
from supportbot.chat.access import is_open_to
from supportbot.chat.errors import (
    ClientIdReused,
    EmptyMessage,
    InvalidClientId,
    MessageTooLong,
    NotOwner,
    UnreadableText,
)
from supportbot.chat.event_log import NEXT_SEQ, NEXT_TIME, append_event, append_if, check_open, lock_conversation, touch
from supportbot.chat.models import Audience, Conversation, ConversationEvent, Message, Source
from supportbot.chat.notices import ai_notice
from supportbot.chat.selectors import first_unanswered_seq, message_by_client_id
from supportbot.chat.turns import Slot, add_and_claim, is_turn_pending, mark_answered, start_turn
from supportbot.errors import NotFound
from supportbot.ids import uuid7
from supportbot.language.normalise import visible
from supportbot.observing.logs import Event, log_event
from supportbot.outbox.services import announce

MAX_MESSAGE_CHARACTERS: Final = 4_000
_CLIENT_ID: Final = re.compile("[!-~]{1,128}")
# C0 and C1 controls except tabs and line breaks; lone surrogates cannot be encoded at all.
CONTROLS: Final = (
    r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f"  # in the notation of JSON Schema patterns
)
UNREADABLE: Final = re.compile(rf"[{CONTROLS}\ud800-\udfff]")

_UNLESS_KNOWN: Final = "ON CONFLICT (conversation_id, source, client_id) DO NOTHING RETURNING id"


class OnCustomerMessage(Protocol):
    """The hook that passes messages on to `handoff`, so that this package does not depend on tickets."""

    def __call__(self, conversation: Conversation, seq: int) -> None:
        """Handle the message at `seq` from a customer who is not talking to a person; the conversation is locked.

        A hook whose attribute `only_with_tickets` is true need not be called in a conversation that has never had a
        ticket. Storing a message in such a conversation then takes fewer statements.
        """


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message's position in the log. `is_new` is false if the message had already arrived."""

    seq: int
    message_id: UUID
    is_new: bool


def on_customer_message() -> OnCustomerMessage:
    """Return the hook that `CHAT_ON_CUSTOMER_MESSAGE` names."""
    path = getattr(settings, "CHAT_FRONT_DESK", settings.CHAT_ON_CUSTOMER_MESSAGE)  # the old name, until 0.3
    return cast(OnCustomerMessage, import_string(path))


@transaction.atomic
def start_conversation(customer_id: UUID, *, channel_id: UUID | None = None, locale: str = "en") -> Conversation:
    """Start a conversation for a customer of the current workspace; its first event says that an AI answers."""
    conversation = Conversation.objects.create(customer_id=customer_id, channel_id=channel_id, locale=locale)
    add_system_message(conversation, ai_notice(locale))
    announce("conversation_changed", conversation.pk, workspace_id=conversation.workspace_pk)
    return conversation


def add_customer_message(
    conversation_id: UUID, *, text: str, client_id: str, sender: Caller | None = None, slot: Slot | None = None
) -> Receipt:
    """Store a customer's message. Unless an agent has the conversation, start a turn of the assistant, which may be
    claimed at once for a runner's `slot`.

    Sending the same `client_id` again returns the first receipt if the text is the same, and raises ClientIdReused if
    it differs. Raises EmptyMessage, MessageTooLong, UnreadableText, InvalidClientId or ConversationEnded, and NotFound
    if the conversation is not open to `sender`. Without a `sender`, the caller has already checked access.
    """
    text, client_id = clean_text(text), clean_client_id(client_id)
    receipt = None
    may_be_unheard = getattr(on_customer_message(), "only_with_tickets", False)
    if slot is not None and may_be_unheard and (sender is None or isinstance(sender, CustomerCaller)):
        receipt = _add_and_claim(conversation_id, text, client_id, sender, slot)
    return receipt or _add_in_steps(conversation_id, text, client_id, sender, slot)


def _add_and_claim(
    conversation_id: UUID, text: str, client_id: str, sender: CustomerCaller | None, slot: Slot
) -> Receipt | None:
    """Add a message that needs nothing except an answer, and claim its turn; return None if nothing was written."""
    if sender is not None and sender.workspace_id != current_workspace_id():
        return None
    message, event = _customer_message(conversation_id, text, client_id)
    of = None if sender is None else sender.customer_id
    claim = add_and_claim(message, event, of=of, unless_known=_UNLESS_KNOWN, slot=slot)
    if claim is None:
        return None
    transaction.on_commit(partial(log_event, Event.MESSAGE, conversation=conversation_id, turn=claim.turn_id))
    return Receipt(event.seq, message.pk, is_new=True)


@transaction.atomic
def _add_in_steps(
    conversation_id: UUID, text: str, client_id: str, sender: Caller | None, slot: Slot | None
) -> Receipt:
    # The message is stored before it is checked, so that storing and locking take one statement. If a check fails, its
    # error rolls this back.
    grown, receipt = _add_unless_known(conversation_id, text, client_id)
    conversation = grown or lock_conversation(conversation_id)
    if sender is not None and not is_open_to(sender, conversation):
        raise NotFound()
    if grown is None:
        earlier = _earlier(conversation, Source.CUSTOMER, client_id, text)
        assert earlier is not None  # otherwise, the message would have been added
        return earlier
    check_open(conversation)
    if conversation.mode != Conversation.Mode.PERSON:
        on_customer_message()(conversation, receipt.seq)
    if conversation.mode == Conversation.Mode.ASSISTANT:
        # The line also contains the ids of the request or socket, which links them to the turn's lines.
        ids = {"conversation": conversation.pk, "turn": start_turn(conversation, slot=slot)}
        transaction.on_commit(partial(log_event, Event.MESSAGE, **ids))
    return receipt


@transaction.atomic
def add_agent_message(
    conversation_id: UUID, *, text: str, author: User, client_id: str, blocks: Sequence[Mapping[str, Any]] = ()
) -> Receipt:
    """Store an agent's reply with its cards and receipts.

    Raises NotOwner unless the conversation is assigned to this agent.
    """
    text, client_id = clean_text(text), clean_client_id(client_id)
    conversation = lock_conversation(conversation_id)
    earlier = _earlier(conversation, Source.AGENT, client_id, text, author=author)
    if earlier is not None:
        return earlier
    if conversation.mode != Conversation.Mode.PERSON or conversation.agent_id != author.pk:
        raise NotOwner()
    marks = {"blocks": list(blocks)} if blocks else {}
    receipt = _add_message(conversation, Source.AGENT, text, client_id=client_id, author=author, marks=marks)
    mark_answered(conversation, receipt.seq)
    announce("agent_replied", receipt.message_id, workspace_id=conversation.workspace_pk)
    return receipt


@transaction.atomic
def add_note(conversation_id: UUID, *, text: str, author: User, client_id: str) -> Receipt:
    """Store an internal note."""
    text, client_id = clean_text(text), clean_client_id(client_id)
    conversation = lock_conversation(conversation_id)
    earlier = _earlier(conversation, Source.AGENT, client_id, text, author=author, audience=Audience.STAFF)
    if earlier is not None:
        return earlier
    return _add_message(conversation, Source.AGENT, text, client_id=client_id, author=author, audience=Audience.STAFF)


def add_system_message(conversation: Conversation, text: str, **marks: Any) -> Receipt:
    """Add a system message to a locked conversation. `marks` are additional payload fields, meant for programs."""
    return _add_message(conversation, Source.SYSTEM, text, marks=marks)


def hand_over(conversation: Conversation, *, mode: str, agent: User | None = None) -> None:
    """Set who answers a locked conversation from now on."""
    touch(conversation, mode=mode, agent=agent)


def give_back(conversation: Conversation, *, note: str) -> None:
    """Give a locked conversation back to the assistant, which gets the note and answers the customer's next message.

    The assistant does not answer messages written while agents had the conversation, but the new episode includes those
    that nobody answered. An earlier question to the assistant whose turn is still waiting does get its answer.
    """
    unanswered = first_unanswered_seq(conversation)
    touch(
        conversation,
        mode=Conversation.Mode.ASSISTANT,
        agent=None,
        handoff_note=note,
        episode_start_seq=unanswered - 1 if unanswered else conversation.last_seq,
    )
    if not is_turn_pending(conversation):
        mark_answered(conversation, conversation.last_seq)


def _add_unless_known(conversation_id: UUID, text: str, client_id: str) -> tuple[Conversation | None, Receipt]:
    """Add a customer's message to the log; return the conversation and the receipt. If the client id is known or the
    scope's workspace has no such conversation, nothing is written and the conversation is None.
    """
    message, event = _customer_message(conversation_id, text, client_id)
    added = sql.insertion(message, "locked", seq=NEXT_SEQ, created_at=NEXT_TIME, ending=_UNLESS_KNOWN)
    grown = append_if(added, event)
    return grown, Receipt(event.seq, message.pk, is_new=True)


def _customer_message(conversation_id: UUID, text: str, client_id: str) -> tuple[Message, ConversationEvent]:
    conversation = Conversation(pk=conversation_id)  # it is read when it is locked
    message = Message(conversation=conversation, source=Source.CUSTOMER, text=text, client_id=client_id)
    payload = {"message": str(message.pk), "source": "customer", "text": text, "client_id": client_id}
    return message, ConversationEvent(conversation=conversation, event="message", payload=payload)


def _earlier(
    conversation: Conversation,
    source: str,
    client_id: str,
    text: str,
    *,
    author: User | None = None,
    audience: str = Audience.EVERYONE,
) -> Receipt | None:
    """Return the receipt of this message if it has already been stored, otherwise None. Raises ClientIdReused if the id
    belongs to a different message.
    """
    message = message_by_client_id(conversation, source, client_id)
    if message is None:
        return None
    # A note differs from a reply, and a colleague's message from one's own, so neither may stand in for the other.
    if (message.text, message.author, message.audience) != (text, author, audience):
        raise ClientIdReused()
    return Receipt(message.seq, message.pk, is_new=False)


def _add_message(
    conversation: Conversation,
    source: str,
    text: str,
    *,
    client_id: str | None = None,
    author: User | None = None,
    audience: str = Audience.EVERYONE,
    marks: Mapping[str, Any] = MappingProxyType({}),
) -> Receipt:
    message_id = uuid7()
    payload = {"message": str(message_id), "source": str(source), "text": text}
    payload |= {"author": author.display_name, "person": str(author.pk)} if author else {}
    payload |= {"client_id": client_id} if client_id else {}
    payload |= marks
    message = Message(
        id=message_id,
        conversation=conversation,
        source=source,
        author=author,
        author_name=author.display_name if author else "",
        text=text,
        client_id=client_id,
        audience=audience,
    )
    event = append_event(conversation, "message", payload, audience=audience, message=message)
    return Receipt(event.seq, message_id, is_new=True)


def clean_text(text: str) -> str:
    """Return the text stripped and without invisible characters; raises EmptyMessage, MessageTooLong or
    UnreadableText.
    """
    if len(text) > MAX_MESSAGE_CHARACTERS:
        raise MessageTooLong(len(text), MAX_MESSAGE_CHARACTERS)
    if UNREADABLE.search(text):
        raise UnreadableText()
    stripped = visible(text).strip()
    if not stripped:
        raise EmptyMessage()
    return stripped


def clean_client_id(client_id: str) -> str:
    """Return a message's validated client id; raises InvalidClientId."""
    if not _CLIENT_ID.fullmatch(client_id):
        raise InvalidClientId()
    return client_id
