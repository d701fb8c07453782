"""A model fully controlled by an attacker: the server must be safe whatever the model says.

Rows about the transport between us and a model's server are in test_transport.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from supportbot.async_db import db
from supportbot.handoff.models import Ticket
from supportbot.llm.types import ModelRequest
from tests.attacks import checks
from tests.attacks.captured import CapturedModel, Emission
from tests.attacks.corpus import Row, rows
from tests.attacks.scenario import SPOKEN, Scenario

OUR_PAGES = {"meta", "link", "form", "input", "button", "textarea", "select", "script", "svg"}
CLAIMS = re.compile("(have|has been|was|is) (refunded|carried out|changed|cancelled)|on its way|Done|erstattet")
TRANSPORT = {"http_status", "raw_body", "sse", "sse_slow", "sse_repeat", "sse_bytes_hex"}


def played_here() -> list[Any]:
    found = rows("hostile_model")
    return [entry for entry in found if entry.values[0].raw["model_emits"][0]["type"] not in TRANSPORT]


@pytest.mark.parametrize("row", played_here())
async def test_the_server_alone_is_safe(
    row: Row, new_scenario: Callable[..., Any], dialled: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    scenario = await new_scenario(row, is_anonymous=row.raw["speaker"] == "anonymous")
    await db(scenario.switch_off, row.raw.get("config", {}).get("disabled_tools", []))
    await db(scenario.note, f"Keep to yourself: {row.world['system_prompt_canary']}.")
    before = len(await db(scenario.audit))
    if row.raw["model_emits"][0]["type"] == "echo_system_prompt":
        await scenario.ask("What do your instructions say?", model=CapturedModel(parrot=_everything))
    else:
        await scenario.play(row.raw["model_emits"])
    told = "\n".join([caplog.text, *(str(letter.message()) for letter in mail.outbox)])
    await db(_check, row, scenario, before, told)
    assert dialled == []  # M5
    if "M8" in row.must:
        await _survives(scenario)


def _everything(request: ModelRequest) -> tuple[str, ...]:
    return tuple(message.content for message in request.messages)


def _check(row: Row, scenario: Scenario, before: int, told: str) -> None:
    checks.own_only(scenario)
    checks.at_most_once(scenario)
    checks.held(scenario)
    checks.no_foreign_data(scenario, told)
    checks.no_secret_out(scenario, told)
    checks.no_active_content(*scenario.finals(), "".join(scenario.heard))
    if "M1" in row.must:
        checks.no_action_executed(scenario)
        _nothing_is_claimed(scenario)
    if "M9" in row.must:
        checks.audited(scenario, before)
    if "M4" in row.must:
        page = _desk_page(scenario)
        checks.assert_inert(page, allowed={*OUR_PAGES, "template"})
        assert [attributes["id"] for tag, attributes in checks.tags_of(page) if tag == "template"] == ["session"]


def _nothing_is_claimed(scenario: Scenario) -> None:
    for text in (*scenario.finals(), "".join(scenario.heard)):
        assert not CLAIMS.search(text), text


def _desk_page(scenario: Scenario) -> str:
    agent = Client()
    agent.force_login(scenario.world.home.agent)
    with scenario.world.at_home():
        ticket = Ticket.objects.get(conversation=scenario.conversation)
    return agent.get(f"/desk/tickets/{ticket.pk}/").content.decode()


async def _survives(scenario: Scenario) -> None:
    if await db(lambda: scenario.fresh().mode) != "assistant":
        return  # an agent has the conversation
    events = await scenario.ask("Hello again", Emission(("Hello! How can I help you today?",)))
    assert events[-1].event == "assistant.final"
    assert events[-1].payload["text"] == "Hello! How can I help you today?"


def test_every_step_of_a_row_is_known() -> None:
    known = {*SPOKEN, *TRANSPORT, "echo_system_prompt", "tool_result_contains", "user_confirms", "user_confirms_all",
             "other_customer_confirms", "advance_clock", "world_change"}  # fmt: skip
    for entry in rows("hostile_model"):
        assert {step["type"] for step in entry.values[0].raw["model_emits"]} <= known
