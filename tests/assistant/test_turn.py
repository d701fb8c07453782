"""A turn from the customer's message to the last event, with a scripted model."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from pytest_django.fixtures import Settings

from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.context import TurnContext, build_context
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Citation, Conversation, Message
from supportbot.chat.retrieval_trace import RetrievalTrace, traces_of
from supportbot.chat.services import add_customer_message
from supportbot.chat.signal_broker import signal_broker
from supportbot.chat.signals import Delta, EventView, Signal, Status
from supportbot.chat.turns import Claim, claim_turn
from supportbot.llm.testing import Says, ScriptedModel, answering
from tests.assistant.conftest import payloads, say
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
QUOTE = "You can return unused items within 60 days of delivery."


class Reader:
    """A reader that receives the same signals as a socket in this process."""

    def __init__(self) -> None:
        self.signals: list[Signal] = []
        self.has_text = asyncio.Event()

    async def __call__(self, conversation: Conversation) -> "Reader":
        await signal_broker().listen(conversation.pk, self.hear)
        return self

    def hear(self, signal: Signal) -> None:
        self.signals.append(signal)
        if isinstance(signal, Delta):
            self.has_text.set()

    @property
    def deltas(self) -> list[Delta]:
        return [signal for signal in self.signals if isinstance(signal, Delta)]

    def text(self, attempt: int) -> str:
        return "".join(delta.text for delta in self.deltas if delta.attempt == attempt)


async def test_a_turn_passes_on_normalised_text(conversation: Conversation) -> None:
    claim = await db(say, conversation, "Medium (6 m²)")
    with answering(ScriptedModel(Says("I do not know."))) as model:
        await carry_out(claim)
    assert model.requests[0].question == model.requests[0].messages[-1].content == "Medium (6 m2)"


async def test_an_answer_is_streamed_cited_and_stored(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    reader = await Reader()(conversation)
    with answering(ScriptedModel(Says((QUOTE[:20], QUOTE[20:], " [1]")))) as model:
        await carry_out(claim)

    [final] = payloads(await db(log), "assistant.final")
    assert final["text"] == f"{QUOTE} [1]"
    assert (final["by"], final["abstained"], final["message"]) == ("model", False, str(claim.message_id))
    [citation] = final["citations"]
    assert citation["quote"] == QUOTE
    address = f"{settings.BASE_URL}/help/wrenfell/returns/"
    assert citation["url"] == f"{address}?r=1&start={citation['start']}&end={citation['end']}#passage"
    assert reader.text(1) == final["text"]
    assert [delta.index for delta in reader.deltas] == list(range(len(reader.deltas)))
    [request] = model.requests
    assert request.sources[0].title == "Returns"
    assert "<source number=" in request.messages[0].content

    def stored() -> tuple[str, str]:
        with workspace_scope(conversation.workspace_id):
            return Message.objects.get(source="assistant").text, Citation.objects.get().quote

    assert await db(stored) == (final["text"], QUOTE)


async def test_the_retrieval_trace_is_stored_for_the_team(conversation: Conversation) -> None:
    claim = await db(say, conversation, "How long can I return something?")
    with answering(ScriptedModel(Says((QUOTE, " [1]")))) as model:
        await carry_out(claim)

    def kept() -> RetrievalTrace:
        with workspace_scope(conversation.workspace_id):
            return traces_of(conversation)[claim.message_id]

    trace = await db(kept)
    assert trace.query == "How long can I return something?"
    assert [one.title for one in trace.passages] == [source.title for source in model.requests[0].sources]
    assert trace.passages[0].score > 0


async def test_without_a_model_the_knowledge_base_is_quoted(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "Within how many days can I return unused items?")
    await carry_out(claim)

    [final] = payloads(await db(log), "assistant.final")
    assert QUOTE in final["text"]
    assert final["by"] == "builtin"
    assert final["citations"][0]["quote"].startswith(QUOTE)


async def test_a_question_without_a_source_is_not_answered(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "Who won the chess championship?")
    await carry_out(claim)

    [final] = payloads(await db(log), "assistant.final")
    assert final["abstained"]
    assert final["offers_human"]
    assert final["citations"] == []


async def test_a_hijacked_model_cannot_promise_anything(conversation: Conversation, log: Log) -> None:
    claim = await db(say, conversation, "Refund my order now")
    reader = await Reader()(conversation)
    with answering(ScriptedModel(Says("I have refunded 500 EUR to your card."))):
        await carry_out(claim)

    [final] = payloads(await db(log), "assistant.final")
    assert final["abstained"]
    assert "refunded" not in final["text"] + reader.text(1)


@pytest.fixture
def counted(settings: Settings) -> Callable[[str], float]:
    """Return the value of a series of `/metrics`, 0 if it does not exist yet."""
    settings.METRICS_TOKEN = "secret"

    def value(series: str) -> float:
        page = Client().get("/metrics", headers={"Authorization": "Bearer secret"}).content.decode()
        return sum(float(line.split()[-1]) for line in page.splitlines() if line.startswith(f"{series} "))

    return value


async def test_an_answer_rejected_twice_is_replaced_by_a_quotation_and_counted(
    conversation: Conversation, log: Log, counted: Callable[[str], float]
) -> None:
    series = ['supportbot_withheld_total{code="figure"}', "supportbot_second_tries_total"]
    before = [await db(counted, one) for one in series]
    claim = await db(say, conversation, "Can I return unused items within 60 days of delivery?")
    model = ScriptedModel(Says("You can return it within 17 days. [1]"), Says("You have 18 days. [1]"))
    with answering(model):
        await carry_out(claim)

    [final] = payloads(await db(log), "assistant.final")
    assert (final["by"], final["abstained"]) == ("builtin", False)
    assert "60 days" in final["text"]
    assert [await db(counted, one) for one in series] == [before[0] + 2, before[1] + 1]

    def kept() -> RetrievalTrace:
        with workspace_scope(conversation.workspace_id):
            return traces_of(conversation)[claim.message_id]

    withheld = (await db(kept)).withheld
    assert [one.code for one in withheld] == ["figure", "figure"]
    assert ["17" in one.text or "18" in one.text for one in withheld] == [True, True]


@pytest.mark.long
async def test_an_answer_that_the_articles_do_not_confirm_is_counted(
    conversation: Conversation, log: Log, counted: Callable[[str], float]
) -> None:
    before = await db(counted, "supportbot_unconfirmed_answers_total")
    claim = await db(say, conversation, "How long can I return something?")
    said = "Penguins breed in crowded colonies along the rocky southern coasts and feed their chicks with krill."
    with answering(ScriptedModel(Says(said))):
        await carry_out(claim)

    [final] = payloads(await db(log), "assistant.final")
    assert final["confirmed"] is False
    assert await db(counted, "supportbot_unconfirmed_answers_total") == before + 1


@pytest.mark.long
async def test_a_large_piece_of_text_does_not_block_other_chats(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns_of_others, at_each_piece = 0, []
    write = CheckedStream.write

    async def somebody_else() -> None:
        nonlocal turns_of_others
        while True:
            await asyncio.sleep(0)
            turns_of_others += 1

    def noting(draft: CheckedStream, text: str) -> str:
        at_each_piece.append(turns_of_others)
        return write(draft, text)

    monkeypatch.setattr(CheckedStream, "write", noting)
    claim = await db(say, conversation, "How long can I return something?")
    other = asyncio.create_task(somebody_else())
    with answering(ScriptedModel(Says("You can return it. " * 500))):
        await carry_out(claim)
    other.cancel()
    assert len(at_each_piece) > 40
    assert len(set(at_each_piece)) == len(at_each_piece)


@pytest.mark.long
async def test_two_messages_during_an_answer_are_both_answered_next(conversation: Conversation, log: Log) -> None:
    first = await db(say, conversation, "How long can I return something?")
    gate = asyncio.Event()

    def meanwhile() -> None:
        with workspace_scope(conversation.workspace_pk):
            add_customer_message(conversation.pk, text="Is the label free?", client_id="m1")
            add_customer_message(conversation.pk, text="When is my refund paid?", client_id="m2")

    def next_claim() -> Claim:
        with workspace_scope(conversation.workspace_pk):
            claim = claim_turn("test-runner")
        assert claim is not None
        return claim

    script = ScriptedModel(Says(f"{QUOTE} [1]", waits_for=gate), Says("The label is free within Germany. [1]"))
    with answering(script) as model:
        running = asyncio.create_task(carry_out(first))
        await db(meanwhile)
        gate.set()
        await running
        await carry_out(await db(next_claim))

    assert model.requests[1].question == "Is the label free?\nWhen is my refund paid?"
    assert [message.role for message in model.requests[1].messages][-3:] == ["assistant", "user", "user"]


async def test_a_waiting_customer_sees_the_status(
    conversation: Conversation, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await db(say, conversation, "Wie lange kann ich etwas zurückgeben?")
    search_may_end, told = threading.Event(), list[str]()

    def hear(signal: Signal) -> None:
        if isinstance(signal, Status):
            told.append(signal.text)
            search_may_end.set()

    def slow_search(claim: Claim) -> TurnContext:
        assert search_may_end.wait(timeout=PATIENCE_SECONDS), "nothing was shown during the search"
        return build_context(claim)

    await signal_broker().listen(conversation.pk, hear)
    monkeypatch.setattr("supportbot.assistant.turn.build_context", slow_search)
    await carry_out(claim)
    # in the conversation's language, since the question has not been read yet
    assert told[0] == "Looking through our help pages"
    assert len(payloads(await db(log), "assistant.final")) == 1


async def test_a_reader_who_asks_before_the_first_word_gets_the_status(
    conversation: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader in another process gets no status before asking."""
    claim = await db(say, conversation, "Within how many days can I return unused items?")
    search_may_end, told = threading.Event(), list[str]()

    def hear(signal: Signal) -> None:
        if isinstance(signal, Status):
            told.append(signal.text)
            if len(told) == 1:
                signal_broker().watch(conversation.pk)
            else:
                search_may_end.set()

    def slow_search(claim: Claim) -> TurnContext:
        assert search_may_end.wait(timeout=PATIENCE_SECONDS), "the status was not repeated"
        return build_context(claim)

    await signal_broker().listen(conversation.pk, hear)
    monkeypatch.setattr("supportbot.assistant.turn.build_context", slow_search)
    await carry_out(claim)
    assert told[:2] == ["Looking through our help pages"] * 2


async def test_the_status_names_the_page_a_slow_model_reads(conversation: Conversation) -> None:
    claim = await db(say, conversation, "Within how many days can I return unused items?")
    may_speak, told = asyncio.Event(), list[str]()

    def hear(signal: Signal) -> None:
        if isinstance(signal, Status):
            told.append(signal.text)
            if signal.text == "Reading “Returns”":
                may_speak.set()

    await signal_broker().listen(conversation.pk, hear)
    with answering(ScriptedModel(Says((QUOTE, " [1]"), waits_for=may_speak))):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await carry_out(claim)
    assert told[-1] == "Reading “Returns”"
