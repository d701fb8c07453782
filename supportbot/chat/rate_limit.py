"""Limits how often a conversation's customer can write.

Messages and retries, over the socket and REST, count together.
"""

from typing import Final
from uuid import UUID

from supportbot.accounts.principals import Caller
from supportbot.chat import blocks
from supportbot.chat.blocks import BlockRef, Filled
from supportbot.chat.errors import ChatError
from supportbot.chat.services import Receipt, add_customer_message
from supportbot.chat.turns import Slot, retry_turn
from supportbot.rate_counters import count

MESSAGES_PER_MINUTE: Final = 20


class TooFast(ChatError):
    code = "too_fast"
    status = 429
    default_message = f"At most {MESSAGES_PER_MINUTE} messages and retries a minute. Wait a moment and try again."


def send_message(
    conversation_id: UUID, *, text: str, client_id: str, sender: Caller | None = None, slot: Slot | None = None
) -> Receipt:
    """Store the customer's message; raises TooFast, and the errors of `add_customer_message`."""
    _check_rate(conversation_id)
    return add_customer_message(conversation_id, text=text, client_id=client_id, sender=sender, slot=slot)


def choose(conversation_id: UUID, *, block: BlockRef, option: str, client_id: str) -> Receipt:
    """Store the customer's choice; raises TooFast, and the errors of `blocks.choose`."""
    _check_rate(conversation_id)
    return blocks.choose(conversation_id, block=block, option=option, client_id=client_id)


def submit(conversation_id: UUID, *, block: BlockRef, values: Filled, client_id: str) -> Receipt:
    """Store the form that the customer filled in; raises TooFast, and the errors of `blocks.submit`."""
    _check_rate(conversation_id)
    return blocks.submit(conversation_id, block=block, values=values, client_id=client_id)


def retry(conversation_id: UUID, message_id: UUID) -> None:
    """Let the assistant retry a failed answer; raises TooFast, and the errors of `retry_turn`."""
    _check_rate(conversation_id)
    retry_turn(conversation_id, message_id)


def _check_rate(conversation_id: UUID) -> None:
    if count(f"pace:{conversation_id}", seconds=60) > MESSAGES_PER_MINUTE:
        raise TooFast()
