"""Simulated conversations: the assistant's real turns, without storing or carrying out anything."""

import asyncio
from decimal import Decimal

import pytest
from django.apps import apps
from django.db.models import Model
from pytest_django.fixtures import Settings

from actions.models import ActionRequest, AuditEntry
from actions.testing import FakeShop
from kb.models import Article
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.evals.runs.case_outcomes import Reply, signals_of
from supportbot.evals.simulation.simulated_conversation import SimulatedConversation, simulate_conversation
from supportbot.llm import gateway
from supportbot.llm.budget import EVALUATION, evaluating, reserve
from supportbot.llm.errors import BudgetExceeded, ModelUnavailable, ProviderRefused, Reason
from supportbot.llm.models import Budget, LLMCall
from supportbot.llm.pricing import Money
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ToolCall
from supportbot.releases.selectors import live_release

pytestmark = pytest.mark.django_db(transaction=True)
# A simulation leaves only the audit entries of its look-ups and the cost of its calls.
LEFT = {"actions.AuditEntry", "actions.AuditHead", "llm.LLMCall"}


def play(simulated: SimulatedConversation, *said: str) -> list[Reply]:
    async def all_of_it() -> list[Reply]:
        try:
            return [await simulated.say(text) for text in said]
        finally:
            await gateway.close()

    with evaluating():
        return asyncio.run(all_of_it())


def counts(workspace: Workspace) -> dict[str, int]:
    live_release()  # the first one is created on demand

    def count(model: type[Model]) -> int:
        return model._base_manager.count()

    return {model._meta.label: count(model) for model in apps.get_models() if model._meta.label not in LEFT}


def test_an_answer_has_its_source_and_leaves_no_row(workspace: Workspace, returns_article: Article) -> None:
    before = counts(workspace)
    (reply,) = play(simulate_conversation(workspace, ""), "How many days do I have to return unused items?")
    assert "60 days" in reply.text
    assert reply.sources == ("returns",)
    assert reply.by == "builtin" and not reply.is_abstention
    assert reply.support is not None and reply.support > 0.9
    assert reply.passages[0]["title"] == "Returns"
    assert counts(workspace) == before


def test_requests_are_decided_and_forgotten(
    workspace: Workspace, alice: Customer, shop: FakeShop, returns_article: Article
) -> None:
    before = counts(workspace)
    simulated = simulate_conversation(workspace, "cus_alice")
    which, asked, withdrawn = play(simulated, "I want a refund", "A-1001", "no thanks")
    assert [call.end for call in which.calls] == ["answered"]  # it asks which order
    assert (asked.calls[-1].name, asked.calls[-1].end) == ("refund_order", "proposed")
    assert asked.calls[-1].arguments["order_id"] == "A-1001" and "A-1001" in asked.calls[-1].words
    assert "Nothing happens until you confirm" in asked.text
    assert [call.end for call in withdrawn.calls] == ["withdrawn"]
    late, strange = play(simulated, "I want a refund for order A-1005", "I want a refund for order B-2002")
    assert (late.calls[-1].end, late.calls[-1].reason) == ("refused", "outside_window")
    assert strange.calls[-1].end == "refused"
    (status,) = play(simulated, "Where is my order A-1001?")
    assert [(call.name, call.end) for call in status.calls] == [("order_status", "answered")]
    assert {entry.actor for entry in AuditEntry.objects.filter(event="read.answered")} == {"evaluation"}
    assert counts(workspace) == before
    assert shop.refunds == [] and not ActionRequest.objects.exists()


def test_an_undo_request_withdraws_the_simulated_card(
    workspace: Workspace, alice: Customer, shop: FakeShop, returns_article: Article
) -> None:
    _, withdrawn = play(
        simulate_conversation(workspace, "cus_alice"), "I want a refund for order A-1001", "please undo that"
    )
    assert [(call.name, call.end) for call in withdrawn.calls] == [("undo_last", "withdrawn")]
    assert shop.refunds == [] and not ActionRequest.objects.exists()


def test_a_handover_opens_no_ticket(workspace: Workspace, returns_article: Article) -> None:
    before = counts(workspace)
    simulated = simulate_conversation(workspace, "")
    (asked,) = play(simulated, "I want to talk to a person")
    assert [call.end for call in asked.calls] == ["handed_over"]
    assert simulated.is_handed_over
    assert counts(workspace) == before


@pytest.mark.long
def test_a_model_is_measured_alone_and_charged_separately(
    workspace: Workspace, alice: Customer, shop: FakeShop, returns_article: Article, settings: Settings
) -> None:
    call = ToolCall("1", "refund_order", '{"order_id": "A-1001", "reason": "too small"}')
    model = ScriptedModel(Says("You can return unused items within 60 days of delivery. [1]"), Says("", (call,)))
    with answering(model, with_builtin=True):
        simulated = simulate_conversation(workspace, "cus_alice")
        told, asked = play(simulated, "How many days do I have to return items?", "Then refund A-1001, it is too small")
    assert (told.by, told.sources) == ("model", ("returns",))
    assert [(one.name, one.end) for one in asked.calls[-1:]] == [("refund_order", "proposed")]
    assert set(LLMCall.objects.values_list("purpose", flat=True)) == {"evaluation"}
    away = ScriptedModel(*[Says(fails=ProviderRefused(Reason.UNREACHABLE))] * 2)
    with answering(away, with_builtin=True), pytest.raises(ModelUnavailable):
        play(simulate_conversation(workspace, ""), "How many days do I have?")


def test_claims_without_a_source_number_are_counted(workspace: Workspace, returns_article: Article) -> None:
    asked, said = "How many days do I have to return items?", "You can return unused items within 60 days of delivery."
    with answering(ScriptedModel(Says(f"{said} [1]"), Says(said))):
        marked, unmarked = play(simulate_conversation(workspace, ""), asked, asked)
    assert (marked.sources, marked.unmarked) == (("returns",), 0)
    assert (unmarked.sources, unmarked.unmarked) == (("returns",), 1)
    assert signals_of((marked,)) == () and signals_of((unmarked,)) == ("unmarked",)


def test_an_unknown_tool_is_rejected_without_an_entry(workspace: Workspace, alice: Customer, shop: FakeShop) -> None:
    with answering(ScriptedModel(Says("", (ToolCall("1", "delete_everything", "{}"),)), Says("I cannot do that."))):
        (asked,) = play(simulate_conversation(workspace, "cus_alice"), "Delete everything")
    assert [(call.name, call.end) for call in asked.calls] == [("delete_everything", "rejected")]
    with workspace_scope(workspace.pk):
        assert not AuditEntry.objects.filter(event="tool.refused").exists()


def test_evaluations_have_their_own_budget(workspace: Workspace, settings: Settings) -> None:
    settings.LLM_DAILY_BUDGET, price = "1.00", Money(Decimal("0.60"), "EUR")
    reserve(price, "answer")
    reserve(price, EVALUATION)  # customers' answers have used up most of their budget
    with pytest.raises(BudgetExceeded):
        reserve(price, EVALUATION)
    settings.LLM_EVALUATION_DAILY_BUDGET = "2.00"
    reserve(price, EVALUATION)
    spent = {budget.purpose: budget.reserved for budget in Budget.objects.all()}
    assert spent == {"": Decimal("0.60"), EVALUATION: Decimal("1.20")}
