"""An argument that is chosen, where it is rehearsed, has many records, or is answered with something else."""

import json
from typing import Any

import pytest

from actions.errors import InvalidArguments
from actions.models import ActionRequest
from actions.principals import Principal
from actions.services import propose
from actions.strict_json import MAX_CHARACTERS
from supportbot.accounts.models import Workspace
from supportbot.assistant.action_tools import own_arguments, result_of
from supportbot.assistant.tool_calls import ToolResult
from supportbot.evals.rehearsal import rehearsal_for
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.test_choosing import FIRST, SECOND, WISH, Put, call_off
from tests.evals.test_rehearsal import play

pytestmark = pytest.mark.django_db(transaction=True)
NAME, WHY = "cancel_pending_order", "no longer needed"


def called(**arguments: Any) -> ToolCall:
    return ToolCall("1", NAME, json.dumps(arguments))


def test_a_rehearsal_offers_the_records_as_a_conversation_does(
    workspace: Workspace, ann: Principal, put_in_force: Put, retail: LoopbackShop
) -> None:
    put_in_force(call_off())
    steps = (Says(calls=(called(reason=WHY),)), Says(calls=(called(reason=WHY, order_id=FIRST),)))
    with answering(ScriptedModel(*steps)) as model:
        (reply,) = play(rehearsal_for(workspace, "ann_lee_1"), WISH)
    assert [(call.name, call.end) for call in reply.calls] == [(NAME, "answered"), (NAME, "proposed")]
    told = json.loads(model.requests[1].messages[-1].content)
    assert [one["value"] for one in told["choices"]["order_id"]] == [FIRST, SECOND]
    assert retail.performed == [] and not ActionRequest.objects.exists()


@pytest.mark.parametrize("flag", ["false", "true", 1, 0, None, [], {}])
def test_a_flag_of_a_correction_that_is_no_flag_is_refused(put_in_force: Put, flag: Any) -> None:
    put_in_force(call_off())
    with pytest.raises(InvalidArguments) as refused:
        own_arguments(called(order_id=FIRST, replaces_card=flag))
    assert refused.value.fields == {"replaces_card": ["Enter true or false."]}


def test_a_call_without_the_flag_is_passed_on_as_it_is(put_in_force: Put) -> None:
    put_in_force(call_off())
    written = '{ "order_id" : "#W0000001", "reason": "ü" }'
    assert own_arguments(ToolCall("1", NAME, written)) == (written, False)


def test_the_flag_makes_no_text_longer(put_in_force: Put) -> None:
    put_in_force(call_off())
    written = json.dumps({"reason": "ü" * 15_000, "replaces_card": True}, ensure_ascii=False)
    text, is_correction = own_arguments(ToolCall("1", NAME, written))
    assert is_correction and len(text) < MAX_CHARACTERS


@pytest.mark.parametrize("depth", [500, 1_000, 2_000, 7_000])
def test_deep_nesting_is_refused_and_ends_no_turn(put_in_force: Put, ann: Principal, depth: int) -> None:
    put_in_force(call_off())
    deep = f'{{"replaces_card": true, "order_id": {"[" * depth}{"]" * depth}}}'

    def use() -> ToolResult:
        arguments, _ = own_arguments(ToolCall("1", NAME, deep))
        propose(ann, NAME, arguments, proposal_key="turn:1:1")
        raise AssertionError

    assert "refused" in result_of(use, "en").for_model
    assert not ActionRequest.objects.exists()
