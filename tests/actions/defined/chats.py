"""Chats without a model about defined actions: the customer writes, reads the answer, and uses its form or buttons."""

from typing import Any
from uuid import UUID

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.blocks import BlockRef, Values, choose, submit
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import events_after
from supportbot.chat.turns import Claim, claim_turn
from tests.assistant.conftest import payloads, say


async def log_after(conversation: Conversation, *texts: str) -> list[Any]:
    """Let the customer write, wait for the answer and write again; return the conversation's log."""
    for text in texts:
        await carry_out(await db(say, conversation, text))

    def read() -> list[Any]:
        with workspace_scope(conversation.workspace_id):
            return list(events_after(conversation.pk, 1))

    return await db(read)


async def final(conversation: Conversation, *texts: str) -> dict[str, Any]:
    """Let the customer write; return the last answer."""
    return payloads(await log_after(conversation, *texts), "assistant.final")[-1]


async def reply(conversation: Conversation, answer: dict[str, Any], values: Values | str) -> None:
    """Fill in the form of an answer as the customer, or press one of its buttons, and run the turn that follows."""

    def send() -> Claim | None:
        ref, key = BlockRef(UUID(answer["message"]), 0), f"reply-{answer['message']}"
        with workspace_scope(conversation.workspace_id):
            if isinstance(values, str):
                choose(conversation.pk, block=ref, option=values, client_id=key)
            else:
                submit(conversation.pk, block=ref, values=values, client_id=key)
            return claim_turn("test-runner")

    claim = await db(send)
    assert claim is not None
    await carry_out(claim)
