"""Asks one question and waits for its answer, without a socket."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from django.utils.translation import gettext, gettext_noop

from actions.principals import find_customer as customer_known_as
from actions.principals import stored
from supportbot.accounts.models import Customer
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.selectors import answer_to, events_after
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import EventView
from supportbot.chat.turns import claim_turn
from supportbot.errors import NotFound, SupportBotError
from supportbot.llm import gateway

WAIT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.1
_ENDINGS: Final = ("assistant.final", "assistant.failed")


class NoAnswer(SupportBotError):
    code = "no_answer"
    status = 504
    default_message = gettext_noop("No answer within a minute. Check the log of the web process.")


class PersonAnswers(SupportBotError):
    code = "person_answers"
    status = 409
    default_message = gettext_noop(
        "This conversation is with an agent or is waiting for one. Your message was stored, but the assistant will "
        "not answer. To ask the assistant, leave out --conversation."
    )


@dataclass(frozen=True, slots=True)
class AskResult:
    """The outcome of a question."""

    conversation_id: UUID
    payload: dict[str, Any]
    proposals: list[dict[str, Any]]
    has_handoff: bool
    took_ms: float


def conversation_to_ask_in(customer_id: str, conversation_id: UUID | None, *, locale: str) -> Conversation:
    """Return the given conversation, or else a new one for the given customer or an anonymous visitor.

    `customer_id` is the merchant's id of the customer, who need not have chatted before. Raises NotFound,
    MerchantUnavailable.
    """
    customer = stored(customer_known_as(customer_id)) if customer_id else None
    if conversation_id is not None:
        found = Conversation.objects.filter(pk=conversation_id).first()
        is_theirs = found is not None and (customer is None or found.customer_id == customer.pk)
        if found is None or not is_theirs:
            raise NotFound(gettext("This customer has no conversation {id}.").format(id=conversation_id))
        return found
    customer = customer or Customer.objects.create(locale=locale)
    return start_conversation(customer.pk, locale=locale)


async def ask(conversation: Conversation, text: str) -> AskResult:
    """Send a message and return the answer. The turn runs in the process that claims it first: a web process or this
    one.

    Raises NoAnswer after a minute without an answer, PersonAnswers if an agent has the conversation, and the errors of
    a refused message.
    """
    began = time.perf_counter()
    seq = await _put(conversation, text)
    try:
        claim = await db(claim_turn, f"ask-{uuid4().hex}", only=conversation.pk)
        if claim is not None:
            await carry_out(claim)
        return await _result(conversation, seq, began, WAIT_SECONDS)
    finally:
        await gateway.close()
        await signal_broker().close()


async def ask_runner(conversation: Conversation, text: str, *, wait_seconds: float = WAIT_SECONDS) -> AskResult:
    """Send a message from a web process and return the answer. The runner of this or another process carries out the
    turn. Raises NoAnswer after `wait_seconds`, PersonAnswers, and the errors of a refused message.
    """
    began = time.perf_counter()
    return await _result(conversation, await _put(conversation, text), began, wait_seconds)


async def _put(conversation: Conversation, text: str) -> int:
    """Store a question and return its position in the log."""
    receipt = await db(add_customer_message, conversation.pk, text=text, client_id=uuid4().hex)
    await db(conversation.refresh_from_db, fields=["mode"])
    if conversation.mode != Conversation.Mode.ASSISTANT:
        raise PersonAnswers()
    return receipt.seq


async def _result(conversation: Conversation, seq: int, began: float, wait_seconds: float) -> AskResult:
    events = await _wait_for_end(conversation.pk, seq, wait_seconds)
    return AskResult(
        conversation_id=conversation.pk,
        payload=events[-1].payload,
        proposals=[event.payload for event in events if event.event == "action.proposed"],
        has_handoff=any(event.event == "handoff.requested" for event in events),
        took_ms=round((time.perf_counter() - began) * 1000, 1),
    )


async def _wait_for_end(conversation_id: UUID, after: int, wait_seconds: float) -> list[EventView]:
    """Return the events from the question to the end of its answer."""
    try:
        async with asyncio.timeout(wait_seconds):
            while True:
                events = await db(events_after, conversation_id, after)
                answer = str(await db(answer_to, conversation_id, after))
                ends = [place for place, event in enumerate(events) if _ends(event, answer)]
                if ends:
                    return events[: ends[0] + 1]
                await asyncio.sleep(POLL_SECONDS)
    except TimeoutError as error:
        raise NoAnswer() from error


def _ends(event: EventView, answer: str) -> bool:
    return event.event in _ENDINGS and event.payload["message"] == answer
