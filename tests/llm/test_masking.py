"""A remote model gets placeholders in place of personal data; all others get the data."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from supportbot.llm import gateway
from supportbot.llm.errors import ProviderRefused, ProviderUnclear, Reason
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ChatMessage, ModelRequest, Source, ToolCall
from tests.llm.conftest import read, text_of
from tests.modelserver import Behaviour, ModelServer

Ask = Callable[..., ModelRequest]
MAIL, PHONE, CARD, ACCOUNT = (
    "alice@example.com",
    "+49 151 23456789",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
)
TOLD = f"I am {MAIL}, {PHONE}. Card {CARD}, account {ACCOUNT}. Order WF-20404 of 2026-11-20 for €54.00."
HIDDEN = "I am [EMAIL_1], [PHONE_1]. Card [CARD_1], account [IBAN_1]. Order WF-20404 of 2026-11-20 for €54.00."

pytestmark = pytest.mark.usefixtures("unstored")


@contextmanager
def a_model(*steps: Says) -> Iterator[ScriptedModel]:
    with answering(ScriptedModel(*steps)) as model:
        yield model


def said_to(model: ScriptedModel, place: int = -1) -> str:
    return model.requests[-1].messages[place].content


def talk(*messages: ChatMessage) -> tuple[ChatMessage, ...]:
    return (ChatMessage("system", "Answer."), *messages)


async def test_the_request_body_contains_no_personal_data(server: ModelServer, ask: Ask) -> None:
    server.will(Behaviour(text="I have noted [EMAIL_1] and [PHONE_1]."))
    events = await read(ask(TOLD))
    assert text_of(events) == f"I have noted {MAIL} and {PHONE}."
    sent = json.dumps(server.chats[0], ensure_ascii=False)
    assert server.chats[0]["messages"][-1]["content"] == HIDDEN
    assert not [part for part in (MAIL, PHONE, CARD, ACCOUNT) if part in sent]
    assert "write the mark exactly" in server.chats[0]["messages"][0]["content"]


async def test_without_personal_data_nothing_is_added(ask: Ask) -> None:
    with a_model(Says("Within 60 days.")) as model:
        request = ask("Where is WF-20404 of 2026-11-20, €54.00?")
        await read(request)
        assert model.requests == [request]


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("written", ["[EMAIL_1]", r"\[EMAIL\_1\]", "[Email_1]"])
async def test_a_placeholder_in_pieces_is_restored(ask: Ask, size: int, written: str) -> None:
    text = f"See [1] [EM] [[x {written}, [EMAIL_2] and {written}"
    pieces = tuple(text[at : at + size] for at in range(0, len(text), size))
    with a_model(Says(pieces)):
        events = await read(ask(TOLD))
    assert text_of(events) == f"See [1] [EM] [[x {MAIL}, [EMAIL_2] and {MAIL}"
    shown = [event.text for event in events if hasattr(event, "text")]
    assert not [one for one in shown if "EMAIL_1" in one.upper()]


async def test_text_without_a_placeholder_is_not_delayed(ask: Ask) -> None:
    pieces = ("Within 60 ", "days [1", "]. [", "2] ", "Bye [EMA")
    with a_model(Says(pieces)):
        events = await read(ask(TOLD))
    assert [event.text for event in events if hasattr(event, "text")] == [
        "Within 60 ", "days [1", "]. ", "[2] ", "Bye ", "[EMA",
    ]  # fmt: skip


async def test_the_same_data_has_the_same_placeholder_in_all_messages(ask: Ask) -> None:
    called = ToolCall("1", "note", json.dumps({"email": MAIL}))
    found = json.dumps({"mail": MAIL.upper(), "address": f"Main Street 1\n{MAIL}", "phone": "0171 1234567"})
    messages = talk(
        ChatMessage("user", f"I am bob@example.com, not {MAIL}"),
        ChatMessage("assistant", f"Thank you, {MAIL}.", tool_calls=(called,)),
        ChatMessage("tool", found, tool_call_id="1"),
        ChatMessage("user", "And ALICE@example.com?"),
    )
    with a_model(Says("Yes.")) as model:
        await read(ask(messages=messages))
    sent = [message.content for message in model.requests[0].messages[1:]]
    assert sent[:2] == ["I am [EMAIL_1], not [EMAIL_2]", "Thank you, [EMAIL_2]."]
    assert json.loads(sent[2]) == {"mail": "[EMAIL_2]", "address": "Main Street 1\n[EMAIL_2]", "phone": "[PHONE_1]"}
    assert sent[3] == "And [EMAIL_2]?"
    assert json.loads(model.requests[0].messages[2].tool_calls[0].arguments) == {"email": "[EMAIL_2]"}


async def test_data_in_tool_arguments_is_restored(ask: Ask) -> None:
    call = ToolCall("1", "leave_address", '{"email": "[EMAIL_1]", "phones": ["[PHONE_1]", "[PHONE_7]"]}')
    with a_model(Says("One moment, [", calls=(call,))):
        completion = await gateway.complete(ask(TOLD))
    assert completion.text == "One moment, ["
    assert json.loads(completion.tool_calls[0].arguments) == {"email": MAIL, "phones": [PHONE, "[PHONE_7]"]}


async def test_data_in_articles_is_public(ask: Ask) -> None:
    source = Source(1, "Contact", "Write to help@shop.example or call 0800 1234567.", "en")
    messages = (ChatMessage("system", f"Answer. {source.text}"), ChatMessage("user", f"help@shop.example or {MAIL}?"))
    with a_model(Says("Write to help@shop.example, not from [EMAIL_1].")) as model:
        events = await read(ask(messages=messages, sources=(source,)))
    assert said_to(model) == "help@shop.example or [EMAIL_1]?"
    assert said_to(model, 0).startswith(f"Answer. {source.text}\n\n")
    assert text_of(events) == f"Write to help@shop.example, not from {MAIL}."


async def test_data_in_a_note_is_also_hidden_in_a_shorter_retry(ask: Ask) -> None:
    note = f"Answer. The note: {MAIL} is called back on 0171 1234567."
    messages = (ChatMessage("system", note), ChatMessage("user", "And now?"))
    with a_model(Says(fails=ProviderRefused(Reason.TOO_LONG)), Says("We call [PHONE_1].")) as model:
        events = await read(ask(messages=messages, lean_instructions=note))
    for request in model.requests:
        assert request.messages[0].content.startswith("Answer. The note: [EMAIL_1] is called back on [PHONE_1].\n\n")
    assert text_of(events) == "We call 0171 1234567."


async def test_a_placeholder_written_by_a_customer_is_not_restored(ask: Ask) -> None:
    with a_model(Says("[EMAIL_1] and [EMAIL_2].")) as model:
        events = await read(ask(f"What is [EMAIL_1]? I am {MAIL}"))
    assert said_to(model) == "What is [EMAIL_1]? I am [EMAIL_2]"
    assert text_of(events) == f"[EMAIL_1] and {MAIL}."


async def test_the_built_in_answerer_reads_the_data_itself(ask: Ask) -> None:
    failing = Says("My [EMAIL", fails=ProviderUnclear(Reason.CUT))
    with answering(ScriptedModel(failing), with_builtin=True) as model:
        events = await read(ask(TOLD))
        assert said_to(model) == HIDDEN
    assert text_of(events).startswith("You can return unused items")


async def test_a_workspace_may_let_the_model_read_personal_data(ask: Ask) -> None:
    with a_model(Says("Hello [EMAIL_1].")) as model:
        events = await read(ask(TOLD, hides_personal_data=False))
    assert said_to(model) == TOLD
    assert text_of(events) == "Hello [EMAIL_1]."


async def test_other_purposes_hide_personal_data_too(ask: Ask) -> None:
    with a_model(Says('{"about": "[EMAIL_1]"}')) as model:
        completion = await gateway.complete(ask(TOLD, purpose="summarise", sources=()))
    assert said_to(model) == HIDDEN
    assert json.loads(completion.text) == {"about": MAIL}


@pytest.mark.django_db
def test_a_search_by_a_remote_embedding_model_sends_no_personal_data(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    from supportbot.llm.embeddings.gateway_embedder import GatewayEmbedder

    sent: list[str] = []
    settings.OPENAI_EMBEDDING_MODEL, settings.OPENAI_EMBEDDING_DIMENSIONS = "vectors", 2

    def embed(texts: list[str]) -> list[list[float]]:
        sent.extend(texts)
        return [[1.0, 0.0] for _ in texts]

    monkeypatch.setattr("supportbot.llm.embeddings.gateway_embedder.loop_thread.run", lambda texts: embed(texts))
    monkeypatch.setattr("supportbot.llm.embeddings.gateway_embedder.gateway.embed", lambda texts, **_: list(texts))
    embedder = GatewayEmbedder()
    embedder.query(f"Mail to {MAIL}")
    embedder.passages(["Write to help@shop.example"])
    assert sent == ["Mail to [EMAIL]", "Write to help@shop.example"]
