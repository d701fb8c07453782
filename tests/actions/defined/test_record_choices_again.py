"""Arguments that are chosen from records: in simulated conversations, with many records and unexpected answers."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from actions.argument_json import MAX_CHARACTERS
from actions.errors import InvalidArguments
from actions.models import ActionRequest
from actions.principals import Principal
from actions.services import propose
from supportbot.accounts.models import Workspace
from supportbot.assistant.action_tools import own_arguments, result_of
from supportbot.assistant.runner import carry_out
from supportbot.assistant.tool_results import ToolResult
from supportbot.async_db import db
from supportbot.builtin.phrases import is_offer_of_a_person
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.evals.simulation.simulated_conversation import simulate_conversation
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from tests.actions.defined.chats import final, reply
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.record_choices import (
    FIRST,
    SECOND,
    WISH,
    Put,
    call_off,
)
from tests.assistant.test_builtin_actions import fill_in
from tests.evals.test_simulated_conversation import play

pytestmark = pytest.mark.django_db(transaction=True)
ACTION, WHY = "cancel_pending_order", "no longer needed"


def called(**arguments: Any) -> ToolCall:
    return ToolCall("1", ACTION, json.dumps(arguments))


def test_a_simulated_conversation_offers_the_records_as_a_conversation_does(
    workspace: Workspace, ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(call_off())
    steps = (Says(calls=(called(reason=WHY),)), Says(calls=(called(reason=WHY, order_id=FIRST),)))
    with answering(ScriptedModel(*steps)) as model:
        (reply,) = play(simulate_conversation(workspace, "ann_lee_1"), WISH)
    assert [(call.name, call.end) for call in reply.calls] == [(ACTION, "answered"), (ACTION, "proposed")]
    told = json.loads(model.requests[1].messages[-1].content)
    assert [one["value"] for one in told["choices"]["order_id"]] == [FIRST, SECOND]
    assert retail.performed == [] and not ActionRequest.objects.exists()


@pytest.mark.one_in(3)
@pytest.mark.parametrize("flag", ["false", "true", 1, 0, None, [], {}])
def test_a_correction_flag_with_another_type_is_refused(put_in_force: Put, flag: Any) -> None:
    put_in_force(call_off())
    with pytest.raises(InvalidArguments) as refused:
        own_arguments(called(order_id=FIRST, replaces_card=flag))
    assert refused.value.fields == {"replaces_card": ["Enter true or false."]}


def test_a_call_without_the_flag_is_passed_on_unchanged(put_in_force: Put) -> None:
    put_in_force(call_off())
    written = '{ "order_id" : "#W0000001", "reason": "ü" }'
    assert own_arguments(ToolCall("1", ACTION, written)) == (written, False)


def test_the_flag_makes_no_text_longer(put_in_force: Put) -> None:
    put_in_force(call_off())
    written = json.dumps({"reason": "ü" * 15_000, "replaces_card": True}, ensure_ascii=False)
    text, is_correction = own_arguments(ToolCall("1", ACTION, written))
    assert is_correction and len(text) < MAX_CHARACTERS


@pytest.mark.parametrize("depth", [500, 1_000, 2_000, 7_000])
def test_deep_nesting_is_refused_and_does_not_end_the_turn(put_in_force: Put, ann: Principal, depth: int) -> None:
    put_in_force(call_off())
    deep = f'{{"replaces_card": true, "order_id": {"[" * depth}{"]" * depth}}}'

    def use() -> ToolResult:
        arguments, _ = own_arguments(ToolCall("1", ACTION, deep))
        propose(ann, ACTION, arguments, proposal_key="turn:1:1")
        raise AssertionError

    assert "refused" in result_of(use, "en").for_model
    assert not ActionRequest.objects.exists()


@pytest.fixture
def shelf(ann: Principal, retail: LoopbackShop, put_in_force: Put) -> Callable[..., Conversation]:
    """Return a function that gives Ann records, by value and title, and starts a conversation."""

    def fill(records: dict[str, str]) -> Conversation:
        own = retail.records.records["users"]["ann_lee_1"]
        own["orders"] = [*records]
        own["shelf"] = [{"id": one, "title": title} for one, title in records.items()]
        made = call_off(list="customer.shelf", value="one.id", words={"en": "{one.title}"})
        put_in_force(made)
        return start_conversation(ann.customer_id)

    return fill


TITLES = {"B:1": "The Tin Drum", "B:2": "Cat and Mouse?", "B:3": "The Flounder: a Tale"}


@pytest.mark.long
async def test_one_of_many_records_is_chosen_in_a_form(shelf: Callable[..., Conversation]) -> None:
    many = {f"#W00000{at}": f"Cancel the book no. {at}, the long one" for at in range(10, 31)}
    conversation = await db(shelf, many)
    asked = await final(conversation, WISH)
    [field] = asked["blocks"][0]["fields"]
    assert len(field["enum"]) == 21 and "pattern" not in field
    claim = await db(fill_in, conversation, asked, {"order_id": field["enum"][7]})
    await carry_out(claim)
    why = await final(conversation)
    assert why["text"].startswith("Please choose: Why the customer cancels.")
    await reply(conversation, why, WHY)
    request = await db(ActionRequest.objects.get)
    assert request.arguments["order_id"] == "#W0000017"


@pytest.mark.long
@pytest.mark.parametrize("value", TITLES)
async def test_a_button_names_its_record_whatever_characters_it_has(
    shelf: Callable[..., Conversation], value: str
) -> None:
    conversation = await db(shelf, TITLES)
    await reply(conversation, await final(conversation, WISH), value)
    why = await final(conversation)
    assert why["text"].startswith("Please choose: Why the customer cancels.")
    await reply(conversation, why, WHY)
    request = await db(ActionRequest.objects.get)
    assert request.arguments["order_id"] == value


@pytest.mark.one_in(6)
@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("the flounder please", "B:3"),
        ("that drum", "B:1"),
        ("not that drum", ""),
        ("the blue one", ""),
        ("not B:1", ""),
        ("nothing with the drum", ""),
    ],
)
async def test_some_words_of_a_record_are_enough_to_name_it(
    shelf: Callable[..., Conversation], said: str, value: str
) -> None:
    conversation = await db(shelf, TITLES)
    await final(conversation, WISH)
    answer = await final(conversation, said)
    assert ("Which one do you mean?" in answer["text"]) is (value == "")
    if value:
        await reply(conversation, answer, WHY)
        assert (await db(ActionRequest.objects.get)).arguments["order_id"] == value


async def test_words_of_two_records_name_neither(shelf: Callable[..., Conversation]) -> None:
    conversation = await db(shelf, TITLES | {"B:4": "The Drum Again"})
    await final(conversation, WISH)
    assert "Which one do you mean?" in (await final(conversation, "the drum"))["text"]


@pytest.mark.long
async def test_a_person_is_offered_after_two_repeats(shelf: Callable[..., Conversation]) -> None:
    conversation = await db(shelf, TITLES)
    answers = [await final(conversation, text) for text in (WISH, "the blue one", "the red one", "the yellow one")]
    told = [answer["text"] for answer in answers]
    assert [text.startswith("I could not read that.") for text in told] == [False, True, True, True]
    assert [is_offer_of_a_person(text) for text in told] == [False, False, False, True]
    await reply(conversation, answers[-1], "B:1")
    assert (await final(conversation))["text"].startswith("Please choose: Why the customer cancels.")
