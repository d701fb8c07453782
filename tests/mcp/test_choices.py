"""An external agent that leaves out an argument chosen from the customer's records gets the records."""

from collections.abc import Callable
from typing import Any

import pytest

from actions.models import ActionRequest
from supportbot.accounts.channels import NewChannel
from tests.actions.defined.conftest import admin as admin
from tests.actions.defined.conftest import put_in_force as put_in_force
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.record_choices import (
    FIRST,
    NAME,
    SECOND,
    call_off,
    how_far,
)
from tests.mcp.agent import ForeignAgent, token_of

pytestmark = pytest.mark.django_db(transaction=True)
WRITE, WHY = "cancel_pending_order", "no longer needed"


@pytest.fixture
def token(channel: NewChannel, retail: LoopbackShop, put_in_force: Callable[[dict[str, Any]], None]) -> str:
    """The token of Ann, who has two orders; a look-up and an action let her choose one."""
    put_in_force(how_far())
    put_in_force(call_off())
    return token_of(channel, "ann_lee_1")


@pytest.mark.parametrize(("name", "argument", "given"), [(NAME, "parcel", {}), (WRITE, "order_id", {"reason": WHY})])
def test_an_agent_gets_the_records_and_calls_again(
    agent: ForeignAgent, token: str, name: str, argument: str, given: dict[str, Any]
) -> None:
    schema = agent.tools()[name].input_schema
    assert (
        argument not in schema["required"] and "records to choose from" in schema["properties"][argument]["description"]
    )
    refused = agent.call(name, given, token=token)
    assert refused.is_error and refused.structured_content["code"] == "choice_needed"
    assert [one["value"] for one in refused.structured_content["choices"][argument]] == [FIRST, SECOND]
    assert f"{argument}: {FIRST} (Order {FIRST})" in refused.content[0].text
    assert not ActionRequest.objects.exists()
    assert not agent.call(name, {**given, argument: FIRST}, token=token).is_error


def test_the_only_record_is_looked_up_and_a_change_still_asks(
    agent: ForeignAgent, token: str, retail: LoopbackShop
) -> None:
    retail.records.records["users"]["ann_lee_1"]["orders"] = [FIRST]
    assert f"Your parcel {FIRST}" in agent.call(NAME, {}, token=token).content[0].text
    assert agent.call(WRITE, {"reason": WHY}, token=token).structured_content["code"] == "choice_needed"
    retail.records.records["users"]["ann_lee_1"]["orders"] = []
    for name, given in ((NAME, {}), (WRITE, {"reason": WHY})):
        told = agent.call(name, given, token=token)
        assert told.is_error and told.structured_content["code"] == "no_record"


def test_records_are_offered_to_nobody_without_the_customers_token(agent: ForeignAgent, token: str) -> None:
    for name in (NAME, WRITE):
        assert agent.call(name, {}).structured_content["code"] == "identity_required"
