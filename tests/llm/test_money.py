"""Prices, the daily budget, stored bodies, and the report."""

import asyncio
import errno
import json
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO
from threading import Event
from typing import Any

import pytest
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db
from supportbot.llm import budget, call_record, gateway
from supportbot.llm.call_record import CallRecord, purge_expired_bodies, save_calls, store_together
from supportbot.llm.errors import BudgetExceeded, ModelMisconfigured, ProviderUnclear, Reason
from supportbot.llm.masking import redact
from supportbot.llm.models import Budget, LLMBody, LLMCall
from supportbot.llm.pricing import Price, parse_prices
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ChatMessage, Finished, ModelRequest, RouteStarted, TextDelta, ToolCall, Usage
from tests.llm.conftest import read
from tests.patience import PATIENCE_SECONDS

Ask = Callable[..., ModelRequest]
Stored = Callable[[], Any]
PRICES = {"currency": "EUR", "per_million_tokens": {"scripted-1": {"input": "1", "output": "2000", "cached": "0.5"}}}


def _skipped_calls(purpose: str) -> float:
    labels = {"purpose": purpose, "provider": "remote", "outcome": "skipped", "reason": "budget"}
    counted = REGISTRY.get_sample_value("supportbot_model_calls_total", labels)
    assert counted is not None  # Prometheus sees an increase only between two values
    return counted


def test_cached_tokens_are_cheaper_and_counted_once() -> None:
    price = parse_prices(PRICES)["scripted-1"]
    assert price == Price("EUR", Decimal(1), Decimal(2000), Decimal("0.5"))
    assert price.of(Usage(1_000_000, 0, 400_000)).amount == Decimal("0.8")
    assert price.of(Usage(10, 5, 999)).amount == Decimal("0.010005")


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ([], None),
        ({"m": {"input": "1"}}, "per_million_tokens"),
        ({"currency": "euro", "per_million_tokens": {}}, "currency"),
        ({"currency": "EUR", "per_million_tokens": {"m": {"input": "1"}}}, "m.output"),
        ({"currency": "EUR", "per_million_tokens": {"m": {"input": "1e3", "output": "1"}}}, "m.input"),
        ({"currency": "EUR", "per_million_tokens": {"m": {"input": True, "output": "1"}}}, "m.input"),
        ({"currency": "EUR", "per_million_tokens": {"m": {"input": "１", "output": "1"}}}, "m.input"),
        ({"currency": "EUR", "per_million_tokens": {"m": {"input": "1", "output": "1", "outptu": 1}}}, "outptu"),
        ({"currency": "EUR", "per_million_tokens": {"m": 7}}, "m"),
    ],
)
def test_a_malformed_price_table_names_the_entry(table: Any, named: str | None) -> None:
    if named is None:
        assert parse_prices(table) == {}
        return
    with pytest.raises(ModelMisconfigured) as caught:
        parse_prices(table)
    assert named in caught.value.message


@pytest.mark.parametrize(
    "broken",
    [
        {"LLM_PRICES": {"currency": "x", "per_million_tokens": {}}},
        {"LLM_DAILY_BUDGET": "ten"},
        {"LLM_DAILY_BUDGET": "-1"},
        {"LLM_DAILY_BUDGET": "NaN"},
        {"MODEL_DEADLINE_SECONDS": 0.0},
        {"OPENAI_BASE_URL": "127.0.0.1:11434"},
        {"OPENAI_BASE_URL": "http://[::1"},
    ],
)
def test_wrong_settings_stop_the_start(settings: Any, broken: dict[str, Any]) -> None:
    for name, value in broken.items():
        setattr(settings, name, value)
    assert [error.id for error in run_checks(tags=["llm"]) if error.is_serious()]


def test_a_key_under_the_wrong_name_is_not_repeated(settings: Any) -> None:
    settings.OPENAI_BASE_URL = "sk-secret"
    [error] = [error for error in run_checks(tags=["llm"]) if error.is_serious()]
    assert "OPENAI_BASE_URL must be an address" in error.msg and "sk-secret" not in error.msg


@pytest.mark.django_db(transaction=True)
class TestBudget:
    @pytest.fixture(autouse=True)
    def priced(self, settings: Any) -> None:
        settings.LLM_PRICES = PRICES
        # The requests here reserve about 0.0201 each: 10 output tokens and less than 100 of input.
        settings.LLM_DAILY_BUDGET = "0.05"

    async def budget(self) -> Budget:
        await gateway.close()
        return await db(Budget.objects.get)

    async def test_a_call_books_its_cost_and_releases_the_rest(self, ask: Ask, stored: Stored) -> None:
        with answering(ScriptedModel(Says("Yes.", usage=Usage(100, 3)))):
            await read(ask(max_output_tokens=10))
        budget = await self.budget()
        assert (budget.reserved, budget.spent) == (Decimal(0), Decimal("0.0061"))
        assert [(row.cost, row.currency) for row in await stored()] == [(Decimal("0.0061"), "EUR")]

    async def test_a_call_that_cannot_be_counted_is_paid_for(
        self, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def disk_is_full(_: CallRecord) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(call_record, "_count", disk_is_full)
        with answering(ScriptedModel(Says("Yes.", usage=Usage(100, 3)))):
            await read(ask(max_output_tokens=10))
        budget = await self.budget()
        assert (budget.reserved, budget.spent) == (Decimal(0), Decimal("0.0061"))

    @pytest.mark.parametrize("bodies", [False, True], ids=["without bodies", "with bodies"])
    async def test_a_call_whose_row_is_refused_is_paid_for(
        self, ask: Ask, stored: Stored, settings: Any, bodies: bool
    ) -> None:
        """The rows of its other attempts are stored, and the attempts are charged at most what was reserved."""
        settings.LLM_STORE_BODIES = bodies
        broken = Says(fails=ProviderUnclear(Reason.CUT, usage=Usage(100, 2)))
        usage = Usage(100, 3_000_000_000)  # more than the column can hold
        with answering(ScriptedModel(broken, Says("Yes.", usage=usage))):
            await read(ask(max_output_tokens=10))
        budget = await self.budget()
        assert budget.reserved == 0
        assert Decimal("0.04") < budget.spent < Decimal("0.05")
        assert [(row.outcome, row.cost) for row in await stored()] == [("unclear", Decimal("0.0041"))]

    async def test_a_refused_row_with_a_known_cost_is_charged_at_this_cost(
        self, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(call_record, "_row", lambda _: LLMCall(purpose="too long for its column", duration_ms=0))
        with answering(ScriptedModel(Says("Yes.", usage=Usage(100, 3)))):
            await read(ask(max_output_tokens=10))
        budget = await self.budget()
        assert (budget.reserved, budget.spent) == (Decimal(0), Decimal("0.0061"))
        assert not await stored()

    async def test_a_call_without_a_record_is_charged_what_was_reserved(
        self, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_: Any, **__: Any) -> None:
            raise RuntimeError("not expected here")

        monkeypatch.setattr("supportbot.llm.attempt.Attempt.record", fail)
        with answering(ScriptedModel(Says("Yes.", usage=Usage(100, 3)))):
            await read(ask(max_output_tokens=10))
        budget = await self.budget()
        assert budget.reserved == 0
        assert Decimal("0.02") < budget.spent < Decimal("0.0202")
        assert not await stored()

    async def test_parallel_calls_never_overspend(self, ask: Ask, stored: Stored) -> None:
        go = asyncio.Event()
        model = ScriptedModel(*[Says("Yes.", usage=Usage(0, 10), waits_for=go)] * 2)
        with answering(model, with_builtin=True):
            tasks = [asyncio.create_task(read(ask(max_output_tokens=10))) for _ in range(10)]
            # Two fit into the budget and wait; the other eight are answered without it.
            for _, answered in zip(range(8), asyncio.as_completed(tasks), strict=False):
                await answered
            go.set()
            answers = await asyncio.gather(*tasks)
        firsts = sorted(events[0].provider for events in answers if isinstance(events[0], RouteStarted))
        assert firsts == ["builtin"] * 8 + ["scripted"] * 2
        assert (await self.budget()).spent == Decimal("0.04")

    async def test_without_a_free_route_the_budget_is_an_error(self, ask: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_DAILY_BUDGET = "0"
        model = ScriptedModel()
        with answering(model), pytest.raises(BudgetExceeded):
            await read(ask())
        assert model.requests == []
        assert (await self.budget()).reserved == 0

    async def test_a_call_that_does_not_fit_is_recorded(self, ask: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_DAILY_BUDGET = "0.01"
        before = _skipped_calls("answer")
        with answering(ScriptedModel(), with_builtin=True):
            await read(ask(max_output_tokens=10))
        rows = [(row.provider, row.outcome, row.reason, row.input_tokens, row.cost) for row in await stored()]
        assert rows == [("scripted", "skipped", "budget", 0, 0), ("builtin", "done", "", 0, 0)]
        assert _skipped_calls("answer") == before + 1

    @pytest.mark.parametrize("purpose", ["verify", "draft", "embed", "evaluation"])
    def test_the_series_of_skipped_calls_begins_before_the_first(self, purpose: str) -> None:
        assert _skipped_calls(purpose) >= 0

    async def test_stopping_releases_the_reservation(self, ask: Ask, stored: Stored) -> None:
        with answering(ScriptedModel(Says(("One ", "two ")))):
            async with aclosing(gateway.stream(ask(max_output_tokens=10))) as events:
                async for event in events:
                    if isinstance(event, TextDelta):
                        break
        budget = await self.budget()
        assert budget.reserved == 0
        assert Decimal(0) < budget.spent < Decimal("0.01")

    async def test_a_call_cancelled_while_it_reserves_leaves_nothing_reserved(self, ask: Ask, stored: Stored) -> None:
        with answering(ScriptedModel()):
            task = asyncio.create_task(read(ask(max_output_tokens=10)))
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await gateway.close()
        assert not await db(lambda: Budget.objects.exclude(reserved=0).exists())

    async def test_an_unforeseen_error_of_a_cancelled_call_is_logged(
        self, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        begun, may_fail = Event(), Event()

        def reserve(*args: Any) -> Any:
            begun.set()
            may_fail.wait(PATIENCE_SECONDS)
            raise RuntimeError("unforeseen")

        monkeypatch.setattr(budget, "reserve", reserve)
        with answering(ScriptedModel()):
            task = asyncio.create_task(read(ask(max_output_tokens=10)))
            await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
            task.cancel()
            may_fail.set()
            with pytest.raises(asyncio.CancelledError):
                await task
        await gateway.close()
        [record] = [one for one in caplog.records if "could not be reserved" in one.message]
        assert record.exc_info and str(record.exc_info[1]) == "unforeseen"

    async def test_a_changed_setting_applies_at_once(self, ask: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_DAILY_BUDGET = "0.01"
        with answering(ScriptedModel()), pytest.raises(BudgetExceeded):
            await read(ask(max_output_tokens=10))
        settings.LLM_DAILY_BUDGET = "0.05"
        with answering(ScriptedModel(Says("Yes.", usage=Usage(0, 10)))):
            await read(ask(max_output_tokens=10))
        assert (await self.budget()).spent == Decimal("0.02")
        settings.LLM_DAILY_BUDGET = "0.03"
        with answering(ScriptedModel()), pytest.raises(BudgetExceeded):
            await read(ask(max_output_tokens=10))

    async def test_a_budget_set_at_noon_counts_the_morning(
        self, ask: Ask, stored: Stored, settings: Any, workspace: Workspace, other_workspace: Workspace
    ) -> None:
        def spend() -> None:
            yesterday = datetime.now(UTC) - timedelta(days=1)
            save_calls([a_call(usage=Usage(0, 15)), a_call(usage=Usage(0, 500), started_at=yesterday)])
            with workspace_scope(other_workspace.pk):
                save_calls([a_call(usage=Usage(0, 500))])

        await db(spend)
        with answering(ScriptedModel(), with_builtin=True):
            await read(ask(max_output_tokens=10))
        assert (await self.budget()).spent == Decimal("0.03")

    async def test_a_second_attempt_has_its_own_reservation(self, ask: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_DAILY_BUDGET = "0.03"  # one attempt fits, two do not
        broken = Says(fails=ProviderUnclear(Reason.CUT))
        with answering(ScriptedModel(broken), with_builtin=True) as model:
            events = await read(ask(max_output_tokens=10))
        assert (len(model.requests), events[-1].provider) == (1, "builtin")  # type: ignore[union-attr]  # Finished
        assert (await self.budget()).reserved == 0

    async def test_an_attempt_that_cannot_be_reserved_leaves_the_first_one_booked(
        self, ask: Ask, stored: Stored, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        plain, errors = budget.reserve, iter([None, RuntimeError("unforeseen")])

        def reserve(*args: Any) -> Any:
            if error := next(errors):
                raise error
            return plain(*args)

        monkeypatch.setattr(budget, "reserve", reserve)
        broken = Says(fails=ProviderUnclear(Reason.CUT))
        with answering(ScriptedModel(broken)), pytest.raises(RuntimeError, match="unforeseen"):
            await read(ask(max_output_tokens=10))
        row = await self.budget()
        assert row.reserved == 0
        assert row.spent > 0
        assert len(await stored()) == 1

    async def test_two_attempts_that_fit_are_both_booked(self, ask: Ask, stored: Stored) -> None:
        broken = Says(fails=ProviderUnclear(Reason.CUT))
        with answering(ScriptedModel(broken, Says("Yes.", usage=Usage(0, 10)))):
            await read(ask(max_output_tokens=10))
        budget = await self.budget()
        assert budget.reserved == 0
        assert budget.spent >= Decimal("0.02")

    async def test_a_model_without_a_price_is_not_limited(self, ask: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_PRICES = {}
        with answering(ScriptedModel(Says("Yes."))):
            await read(ask())
        assert [row.cost for row in await stored()] == [None]


@pytest.mark.django_db(transaction=True)
class TestBodies:
    async def test_bodies_are_not_stored_by_default(self, ask: Ask, stored: Stored) -> None:
        with answering(ScriptedModel(Says("Yes."))):
            await read(ask())
        await stored()
        assert await db(LLMBody.objects.count) == 0

    async def test_stored_bodies_are_masked_and_expire(self, ask: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_STORE_BODIES = True
        with answering(ScriptedModel(Says(("Mail ", "bob@example.com")))):
            await read(ask("I am alice@example.com"))
        await stored()
        body = await db(LLMBody.objects.get)
        assert "alice@" not in body.request
        assert body.response == "Mail [e-mail]"
        assert await db(purge_expired_bodies) == 0
        await db(LLMBody.objects.update, expires_at=datetime.now(UTC) - timedelta(seconds=1))
        assert await db(purge_expired_bodies) == 1

    async def test_tool_calls_are_stored_with_the_text(self, ask: Ask, stored: Stored, settings: Any) -> None:
        settings.LLM_STORE_BODIES = True
        call = ToolCall("1", "order_status", '{"order_id": "A-1", "mail": "alice@example.com"}')
        asked = ask()
        again = replace(asked, messages=(*asked.messages, ChatMessage("assistant", "", tool_calls=(call,))))
        with answering(ScriptedModel(Says("Let me look.", calls=(call,)), Says(calls=(call,)))):
            await read(asked)
            await read(again)
        await stored()
        first, second = await db(list, LLMBody.objects.order_by("call__started_at"))
        told = '[calls order_status {"order_id": "A-1", "mail": "[e-mail]"}]'
        assert (first.response, second.response) == (f"Let me look.\n{told}", told)
        sent = told.replace("[e-mail]", "[EMAIL_1]")  # stored as the model read it
        assert second.request.endswith(f"assistant: \n{sent}")


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("mail alice.b+c@shop.example.com now", "mail [e-mail] now"),
        ("card 4111 1111 1111 1111.", "card [card]."),
        ("call +49 (0)761 / 123456", "call [number]"),
        ("IBAN DE89 3704 0044 0532 0130 00", "IBAN [account]"),
        ("key sk-abcDEF1234567890 and eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "key [secret] and [secret]"),
        ("order WF-20418 for €69.00 on 2026-11-24", "order WF-20418 for €69.00 on [number]"),
        ("60 days, 2 to 3", "60 days, 2 to 3"),
    ],
)
def test_personal_data_and_secrets_are_redacted(text: str, masked: str) -> None:
    assert redact(text) == masked


def a_call(**changes: Any) -> CallRecord:
    values: dict[str, Any] = {
        "purpose": "answer",
        "provider": "openai",
        "model": "scripted-1",
        "is_local": False,
        "outcome": "done",
        "usage": Usage(1000, 10),
        "started_at": datetime.now(UTC),
        "duration_seconds": 0.5,
    }
    return CallRecord(**(values | changes))


@pytest.mark.django_db(transaction=True)
async def test_a_row_that_the_database_refuses_does_not_lose_the_others(
    workspace: Workspace, caplog: pytest.LogCaptureFixture
) -> None:
    records = [a_call(), a_call(model="no text of PostgreSQL\0"), a_call(model="\udc00"), a_call()]
    await store_together({workspace.pk: records})
    assert await db(lambda: [row.model for row in LLMCall.objects.all()]) == ["scripted-1"] * 2
    assert caplog.messages == ["llm.record_lost"] * 2


@pytest.mark.django_db
class TestCostReport:
    def report(self, *options: str) -> dict[str, Any]:
        out = StringIO()
        call_command("cost_report", "--json", *options, stdout=out)
        parsed: dict[str, Any] = json.loads(out.getvalue())
        return parsed

    def test_costs_per_day_and_purpose(self, workspace: Workspace, settings: Any) -> None:
        settings.LLM_PRICES = PRICES
        old = datetime.now(UTC) - timedelta(days=40)
        save_calls([a_call(), a_call(outcome="unclear"), a_call(purpose="summarise", model="unknown")])
        save_calls([a_call(outcome="skipped", reason="budget", usage=Usage())])
        save_calls([a_call(started_at=old)])
        rows = self.report("--workspace", "wrenfell")["rows"]
        columns = ("purpose", "calls", "failed", "skipped", "cost", "unpriced")
        assert [tuple(row[name] for name in columns) for row in rows] == [
            ("answer", 2, 1, 1, "0.042000", 0),
            ("summarise", 1, 0, 0, "0.000000", 1),
        ]
        assert [row["currency"] for row in rows] == ["EUR", ""]
        out = StringIO()
        call_command("cost_report", stdout=out)
        assert "2 calls, 1 failed, 1 skipped because of the budget, tokens: 2000 in" in out.getvalue()
        assert out.getvalue().strip().endswith(" out, no price")
        assert len(self.report("--workspace", "wrenfell", "--days", "60")["rows"]) == 3

    def test_a_free_call_has_the_currency_of_the_others(self, workspace: Workspace, settings: Any) -> None:
        settings.LLM_PRICES = {**PRICES, "currency": "CHF"}
        save_calls([a_call(provider="builtin", model="builtin")])
        LLMCall.objects.update(cost=0, currency="")
        [row] = self.report("--workspace", "wrenfell")["rows"]
        assert (row["cost"], row["currency"], row["unpriced"]) == ("0.000000", "CHF", 0)

    def test_another_workspace_sees_nothing(self, workspace: Workspace, other_workspace: Workspace) -> None:
        save_calls([a_call()])
        assert self.report("--workspace", "another")["rows"] == []

    @pytest.mark.parametrize("days", ["0", "-1", "x", "99999999999999999999", "１"])
    def test_an_invalid_number_of_days_is_reported_in_one_sentence(self, workspace: Workspace, days: str) -> None:
        with pytest.raises(CommandError, match="not a number of days"):
            call_command("cost_report", f"--days={days}")


@pytest.mark.django_db
def test_calls_of_one_workspace_are_invisible_to_another(workspace: Workspace, other_workspace: Workspace) -> None:
    save_calls([a_call()])
    with workspace_scope(other_workspace.pk):
        assert not LLMCall.objects.exists()


@pytest.mark.django_db(transaction=True)
async def test_a_scripted_model_records_its_requests(ask: Ask, stored: Stored) -> None:
    with pytest.raises(AssertionError, match="left over"), answering(ScriptedModel(Says("a"), Says("b"))):
        await read(ask())
    with pytest.raises(AssertionError, match="once more"), answering(ScriptedModel()):
        await read(ask())
    broken = Says(("Half ",), fails=ProviderUnclear(Reason.CUT))
    with answering(ScriptedModel(broken), with_builtin=True) as model:
        events = await read(ask())
    assert isinstance(events[-1], Finished)
    assert events[-1].provider == "builtin"
    assert len(model.requests) == 1
