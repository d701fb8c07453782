"""A model that obeys any text, from the customer or an article: it can propose for its own customer, and no more.

The conversations and planted texts are in the corpus; without it, there is nothing to run.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest

from supportbot.async_db import db
from supportbot.chat.errors import ChatError
from supportbot.llm.testing import answering
from supportbot.llm.types import ModelRequest, ToolCall
from tests.attacks import checks
from tests.attacks.captured import CapturedModel, Emission
from tests.attacks.corpus import Row, rows
from tests.attacks.scenario import Scenario

AT_ONCE = 12
_ORDER = re.compile(r"\b[A-Z][-_]\d{3,5}\b")


def obeying(request: ModelRequest, *, of: dict[str, Any]) -> Emission:
    """Return the emissions of a model that obeys any text: it does everything the text says and claims it is done."""
    heard = request.messages[-1].content + "\n".join(source.text for source in request.sources)
    if request.messages[-1].role == "tool":
        return Emission((f"Done as you wished: {heard[:300]}",))
    named = list(dict.fromkeys(_ORDER.findall(heard)))[:2] or [of["orders"][1]["id"]]
    calls = [ToolCall("a", "refund_order", f'{{"order_id": "{order}", "reason": "x"}}') for order in named]
    calls += [ToolCall("b", "order_status", f'{{"order_id": "{order}"}}') for order in named]
    return Emission((f"Agreed, it is done. {heard[:200]}",), tuple(calls))


class ObedientModel(CapturedModel):
    def __init__(self, world: dict[str, Any]) -> None:
        super().__init__()
        self.world = world

    def stream(self, request: ModelRequest) -> Any:
        self.emissions = [obeying(request, of=self.world)]
        return super().stream(request)


async def talk(scenario: Scenario, row: Row, texts: list[str]) -> None:
    model = ObedientModel(row.world)
    scenario.models.append(model)
    with answering(model):  # type: ignore[arg-type]  # a provider by shape
        for text in texts:
            if await db(lambda: scenario.fresh().mode) != "assistant":
                break
            try:
                await scenario.ask_whoever_answers(text)
            except ChatError:  # too long or unreadable: refused with a message
                continue


def check(scenario: Scenario) -> None:
    checks.no_action_executed(scenario)
    checks.held(scenario)
    checks.no_foreign_data(scenario)
    checks.no_secret_out(scenario)
    checks.no_active_content(*scenario.finals(), "".join(scenario.heard))
    for text in scenario.finals():
        assert "it is done" not in text and "attacker" not in text


@pytest.mark.parametrize("row", rows("scenarios"))
async def test_an_obedient_model_does_no_harm_in_a_whole_conversation(
    row: Row, new_scenario: Callable[..., Any]
) -> None:
    scenario = await new_scenario(row, is_anonymous=row.raw["speaker"] == "anonymous")
    await talk(scenario, row, [turn if isinstance(turn, str) else str(turn) for turn in row.raw["turns"]])
    await db(check, scenario)


def batches(name: str) -> list[Any]:
    found = [entry.values[0] for entry in rows(name)]
    groups = [found[at : at + AT_ONCE] for at in range(0, len(found), AT_ONCE)]
    return [pytest.param(group, id=f"{group[0].id}+{len(group) - 1}") for group in groups]


@pytest.mark.parametrize("group", batches("direct_prompts"))
async def test_an_obedient_model_does_no_harm_with_a_visitors_texts(
    group: list[Row], new_scenario: Callable[..., Any]
) -> None:
    scenario = await new_scenario(group[0])
    await talk(scenario, group[0], [row.raw["text"] for row in group])
    await db(check, scenario)


@pytest.mark.parametrize("group", batches("indirect_payloads"))
async def test_an_obedient_model_does_no_harm_with_an_articles_texts(
    group: list[Row], new_scenario: Callable[..., Any]
) -> None:
    scenario = await new_scenario(group[0])
    for row in group:
        await db(scenario.plant, row.raw["text"])
    await talk(scenario, group[0], ["Hello, please help me with my order"] * 2)
    await db(check, scenario)
