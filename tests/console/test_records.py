"""Requests with their audit trail, conversations, model calls and unanswered questions in the console."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, transaction
from django.urls import reverse
from django.utils.timezone import now
from pytest_django import Settings
from selectolax.lexbor import LexborHTMLParser

from actions.cards import reason_of
from actions.models import ActionRequest
from actions.reasons import Reason as ActionReason
from actions.requests.transitions import transition
from actions.states import State
from kb.models import Article
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.answers import Answer, Withheld
from supportbot.chat.event_log import append_event, lock_conversation
from supportbot.chat.models import Conversation, Message, Turn
from supportbot.chat.retrieval_trace import RetrievalTrace
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.chat.turns import claim_turn, finish_turn
from supportbot.console.charts import stacked
from supportbot.console.display import amounts
from supportbot.console.model_calls import REASONS
from supportbot.handoff.desk.action_records import action_record
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services as handoff
from supportbot.llm.errors import Reason
from supportbot.llm.models import Budget, LLMBody, LLMCall
from tests.console.conftest import Enter, Sample
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


def read(answer: Any) -> LexborHTMLParser:
    return LexborHTMLParser(answer.content.decode())


def test_a_conversation_is_listed_with_the_customers_language(enter: Enter, sample: Sample) -> None:
    german = start_conversation(sample.customer.pk, locale="en")
    add_customer_message(german.pk, text="Wie lange dauert die Lieferung nach Österreich?", client_id="c1")
    client = enter("agent")
    rows = read(client.get("/admin/chat/conversation/")).css("tbody tr")
    assert [row.css_first(".field-language").text() for row in rows] == ["German", "English"]
    page = read(client.get(f"/admin/chat/conversation/{german.pk}/change/"))
    assert "German, on a page in English" in page.css_first(".form-side").text()


def test_a_request_is_shown_with_its_trail_and_read_only(enter: Enter, sample: Sample) -> None:
    client = enter("supervisor")
    address = f"/admin/actions/actionrequest/{sample.request.pk}/change/"
    tree = read(client.get(address))
    assert [line.css_first("b").text() for line in tree.css(".tl li")] == ["Proposed"]
    assert "Chain intact" in tree.css_first(".notice.ok").text()
    assert client.post(address, {"order_id": "other", "state": "succeeded"}).status_code == 403
    sample.request.refresh_from_db()
    assert sample.request.state == "proposed"


def test_an_expired_request_speaks_of_the_customer_not_to_them(enter: Enter, sample: Sample) -> None:
    with transaction.atomic():
        request = ActionRequest.objects.get(pk=sample.request.pk)
        transition(request, State.AWAITING_CONFIRMATION, actor="policy")
        transition(request, State.EXPIRED, actor="system", reason=ActionReason("not_confirmed"))
    shown = read(enter("supervisor").get(f"/admin/actions/actionrequest/{request.pk}/change/"))
    words = "The customer did not confirm in time, so nothing was done."
    assert shown.body is not None and shown.body.text().count(words) >= 1
    assert "You did not confirm" not in shown.body.text()
    assert action_record(request).reason == action_record(request).steps[-1].reason == words
    assert (reason_of(request) or {})["text"] == "You did not confirm in time, so nothing was done."


@pytest.mark.long
def test_a_request_links_to_its_chat_while_it_exists(enter: Enter, sample: Sample) -> None:
    asked = {**ActionRequest.objects.filter(pk=sample.request.pk).values().get(), "id": uuid4(), "proposal_key": "k2"}
    request = ActionRequest.objects.create(**{**asked, "conversation_id": sample.conversation.pk})
    client, address = enter("agent"), f"/admin/actions/actionrequest/{request.pk}/change/"
    (link,) = read(client.get(address)).css(".tools a")
    assert client.get(link.attributes["href"] or "").status_code == 200
    sample.conversation.delete()
    assert read(client.get(address)).css(".tools a") == []


def test_requests_are_listed_with_their_customers(enter: Enter, sample: Sample) -> None:
    def listed() -> list[str]:
        rows = read(client.get("/admin/actions/actionrequest/?o=2")).css("tbody tr")
        return [row.css_first(".field-who").text() for row in rows]

    client = enter("agent")
    assert listed() == [sample.customer.name]
    Customer.objects.filter(pk=sample.customer.pk).update(name="")
    assert listed() == [sample.customer.external_id]


def test_the_subject_of_a_request_is_named_in_the_readers_language(enter: Enter, sample: Sample) -> None:
    def listed() -> str:
        return read(client.get("/admin/actions/actionrequest/")).css_first("tbody .field-subject").text()

    client = enter("agent")
    assert listed() == f"Order {sample.request.subject_id}"
    User.objects.update(language="de")
    assert listed() == f"Bestellung {sample.request.subject_id}"


def test_a_request_shows_the_requested_and_the_actual_amount(enter: Enter, sample: Sample) -> None:
    receipt = {"order": "A-1", "amount": "5.00", "currency": "EUR", "to": "Visa ending 4417", "reference": "RF-1"}
    ActionRequest.objects.filter(pk=sample.request.pk).update(receipt=receipt)
    tree = read(enter("supervisor").get(f"/admin/actions/actionrequest/{sample.request.pk}/change/"))
    asked, done = (
        {row.css_first("dt").text(): row.css_first("dd").text() for row in part.css(".kv > div")}
        for part in tree.css(".form-side .sheet")
    )
    assert (asked["Amount"], done["Amount"]) == ("€5.00", "€5.00")
    assert "Currency" not in done


def test_a_broken_audit_chain_is_shown(enter: Enter, sample: Sample) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE actions_auditentry DISABLE TRIGGER USER")
        cursor.execute("UPDATE actions_auditentry SET actor = 'nobody'")
        cursor.execute("ALTER TABLE actions_auditentry ENABLE TRIGGER USER")
    tree = read(enter("admin").get(f"/admin/actions/actionrequest/{sample.request.pk}/change/"))
    assert "The chain is broken" in tree.css_first(".notice.bad").text()


def test_a_conversation_is_shown_with_its_model_calls(enter: Enter, sample: Sample) -> None:
    call = sample.call
    LLMCall.objects.filter(pk=call.pk).update(conversation_id=sample.conversation.pk, cost="0.0021", currency="EUR")
    address = f"/admin/chat/conversation/{sample.conversation.pk}/change/"
    tree = read(enter("supervisor").get(address))
    assert [line.text(strip=True) for line in tree.css(".l-customer .said")] == ["How do I wash a Xylograph?"]
    assert "€0.0021" in tree.css_first(".kv").text()
    assert "0.0021" not in read(enter("agent").get(address)).css_first("main").text()


def test_steps_of_a_conversation_are_worded_as_at_the_desk(enter: Enter, sample: Sample) -> None:
    talk = sample.conversation
    handoff.request(talk.pk, reason="customer_asked", by="customer", summary="A wash.")
    told = {"request": str(sample.request.pk), "action": "refund_order", "title": "Refund €5.00"}
    append_event(lock_conversation(talk.pk), "action.succeeded", told)
    tree = read(enter("agent").get(f"/admin/chat/conversation/{talk.pk}/change/"))
    assert [line.text(strip=True) for line in tree.css(".l-step .by b")] == [
        "Handed over. Asked for a person",
        "Refund an order: done",
    ]
    links = [link.attributes["href"] for link in tree.css("main a")]
    assert f"/admin/actions/actionrequest/{sample.request.pk}/change/" in links
    assert f"/desk/tickets/{Ticket.objects.get().pk}/" in links


@pytest.mark.long
def test_a_model_call_is_shown_with_its_stored_body(enter: Enter, sample: Sample) -> None:
    call = sample.call
    LLMCall.objects.filter(pk=call.pk).update(
        conversation_id=sample.conversation.pk, cost="0.0021", currency="EUR", input_tokens=2114, cached_tokens=2000,
        prompt_version="answer-4",
    )  # fmt: skip
    address = f"/admin/llm/llmcall/{call.pk}/change/"
    supervisor = enter("supervisor")
    told = visible_text(read(supervisor.get(address)).css_first("main"), " ")
    assert "Tokens in 2,114 (2,000 cached)" in told
    assert "Prompt version 4 " in told
    assert "€0.0021" in told
    listed = visible_text(read(supervisor.get("/admin/llm/llmcall/")).css_first("#result_list"), " ")
    assert "2,114 / " in listed
    assert "Not stored." in told
    LLMBody.objects.create(call=call, request="<b>Wash?</b>", response="By hand.", expires_at=now())
    tree = read(supervisor.get(address))
    assert [body.text() for body in tree.css("pre.body")] == ["<b>Wash?</b>", "By hand."]
    assert f"/admin/chat/conversation/{sample.conversation.pk}/change/" in tree.css_first(".tools a").attributes["href"]
    LLMCall.objects.filter(pk=call.pk).update(conversation_id=call.pk)  # the chat was erased, its cost was not
    assert read(supervisor.get(address)).css(".tools a") == []


@pytest.mark.parametrize(
    ("outcome", "reason", "shown"),
    [
        ("refused", "not_authorised", "Refused: key not accepted"),
        ("unclear", "server_error", "Unclear: server error"),
        ("done", "", "Done"),
        ("refused", "of_an_older_version", "Refused: of_an_older_version"),
    ],
)
def test_the_reason_why_a_call_failed_is_in_words(
    enter: Enter, workspace: Workspace, outcome: str, reason: str, shown: str
) -> None:
    call = LLMCall.objects.create(
        purpose="answer", provider="p", model="m", cost=0, currency="EUR", duration_ms=0, outcome=outcome, reason=reason
    )
    admin = enter("admin")
    assert visible_text(read(admin.get("/admin/llm/llmcall/")).css_first("#result_list .field-end")) == shown
    assert shown in visible_text(read(admin.get(f"/admin/llm/llmcall/{call.pk}/change/")).css_first("main"), " ")


def test_the_reason_follows_a_colon_set_as_in_the_language(enter: Enter, workspace: Workspace) -> None:
    LLMCall.objects.create(
        purpose="answer", provider="p", model="m", outcome="skipped", reason="budget", cost=0, currency="EUR",
        duration_ms=0,
    )  # fmt: skip
    page = enter("admin").get("/admin/llm/llmcall/", headers={"Accept-Language": "fr"})
    shown = visible_text(read(page).css_first("#result_list .field-end"))
    assert shown.replace("\N{NO-BREAK SPACE}", " ") == "Ignoré : budget restant insuffisant"


def test_every_reason_has_words() -> None:
    assert set(REASONS) == set(Reason)


def test_cells_carry_their_columns_name_for_small_screens(enter: Enter, sample: Sample) -> None:
    rows = read(enter("admin").get("/admin/kb/article/")).css("#result_list tbody tr")
    labels = [cell.attributes.get("data-label") for cell in rows[0].css("td")]
    assert labels == [None, None, "State", "Language", "Readers", "Answers", "Changed"]


def test_a_customers_markup_is_escaped(enter: Enter, workspace: Workspace) -> None:
    talk = start_conversation(Customer.objects.create(external_id="x", name="<i>Eve</i>").pk)
    add_customer_message(talk.pk, text="<script>alert(1)</script><img src=x>", client_id="1")
    agent = enter("agent")
    for address in ("/admin/chat/conversation/", f"/admin/chat/conversation/{talk.pk}/change/"):
        html = agent.get(address).content.decode()
        assert "<script>alert" not in html and "<img" not in html and "<i>Eve" not in html
        assert "&lt;script&gt;" in html


def test_calls_are_summed_by_day_and_purpose(enter: Enter, workspace: Workspace) -> None:
    for days, purpose, cost in (
        (0, "answer", "0.30"),
        (0, "rewrite", "0.10"),
        (2, "answer", "0.50"),
        (40, "answer", "9"),
    ):
        LLMCall.objects.create(
            purpose=purpose, provider="p", model="m", cost=cost, currency="EUR", duration_ms=1, outcome="done",
            started_at=now() - timedelta(days=days),
        )  # fmt: skip
    LLMCall.objects.create(
        purpose="answer", provider="p", model="m", cost=0, currency="EUR", duration_ms=0, outcome="skipped"
    )
    tree = read(enter("admin").get("/admin/llm/llmcall/?days=7"))
    assert [item.text(strip=True) for item in tree.css(".legend li")] == ["Answers€0.80", "Rewriting€0.10"]
    assert [bar.text() for bar in tree.css(".chart rect title")][-2:] == [
        f"{datetime.now(UTC):%-d %b}, Answers: 0.3",
        f"{datetime.now(UTC):%-d %b}, Rewriting: 0.1",
    ]
    rows = [[cell.text() for cell in row.css("td")][1:6] for row in tree.css("figure tbody tr")]
    assert rows == [  # calls, failed, skipped
        ["Answers", "p: m", "1", "0", "1"],
        ["Rewriting", "p: m", "1", "0", "0"],
        ["Answers", "p: m", "1", "0", "0"],
    ]


def test_a_free_call_has_the_currency_of_the_others(enter: Enter, sample: Sample) -> None:
    talk = sample.conversation.pk
    LLMCall.objects.all().delete()
    free = LLMCall.objects.create(
        purpose="answer", provider="builtin", model="builtin", cost=0, duration_ms=1, outcome="done",
        conversation_id=talk,
    )  # fmt: skip
    admin = enter("admin")
    tree = read(admin.get("/admin/llm/llmcall/"))
    assert visible_text(tree.css_first("#result_list .field-money")) == "€0.00"
    assert visible_text(tree.css("figure tbody td")[-1]) == "€0.00"
    for address in (f"/admin/llm/llmcall/{free.pk}/change/", f"/admin/chat/conversation/{talk}/change/"):
        assert "Cost €0.00" in visible_text(read(admin.get(address)).css_first(".form-side"), " ")
    LLMCall.objects.update(provider="p", model="m", cost=None)  # a model without a price is not free
    tree = read(admin.get("/admin/llm/llmcall/"))
    for cell in (tree.css_first("#result_list .field-money"), tree.css("figure tbody td")[-1]):
        assert visible_text(cell) == "no price"
    shown = read(admin.get(f"/admin/chat/conversation/{talk}/change/")).css_first(".form-side")
    assert "Cost no price" in visible_text(shown, " ")
    assert amounts({"": Decimal(0), "USD": Decimal("0.10")}) == "US$0.10"
    assert amounts({"": Decimal(0)}) == "€0.00" and amounts({}) == "–"


def test_each_page_names_the_time_zone_of_its_times_once(enter: Enter, workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(timezone="Asia/Kolkata")
    admin = enter("admin")
    for address in ("/admin/", "/admin/llm/llmcall/", "/admin/kb/article/", "/admin/results/"):
        [foot] = read(admin.get(address)).css(".page-f")
        assert visible_text(foot) == "Times are in the workspace's time zone: Asia/Kolkata, UTC+05:30."
    assert visible_text(read(admin.get("/admin/", headers={"Accept-Language": "de"})).css_first(".page-f")).endswith(
        "Zeitzone des Arbeitsbereichs: Asia/Kolkata, UTC+05:30."
    )


def test_filters_name_languages_and_providers(enter: Enter, sample: Sample) -> None:
    german = start_conversation(sample.customer.pk, locale="de")
    add_customer_message(german.pk, text="Hallo", client_id="c1")
    Article.objects.update(locale="de-AT")
    LLMCall.objects.create(purpose="answer", provider="builtin", model="builtin", duration_ms=9, outcome="done")
    admin = enter("admin")

    def choices(address: str, title: str) -> list[str]:
        menus = read(admin.get(address)).css("details.menu")
        [menu] = [one for one in menus if title in one.css_first("summary").text()]
        return [visible_text(one) for one in menu.css("li a")]

    assert choices("/admin/chat/conversation/", "Page's language") == ["All", "English", "German"]
    assert choices("/admin/kb/article/", "Language") == ["All", "German (de-AT)"]
    assert choices("/admin/llm/llmcall/", "Provider") == ["All", "Built-in answerer", "p"]
    set_to = read(admin.get("/admin/chat/conversation/?locale=de"))
    assert "Page's language: German" in visible_text(set_to.css_first(".bar-f"), " ")
    assert len(set_to.css("#result_list tbody tr")) == 1


def test_the_reserved_part_of_a_budget_is_shown_next_to_the_spent_part(
    enter: Enter, workspace: Workspace, settings: Settings
) -> None:
    """Otherwise, nobody could see why no model is called although part of the amount is left."""
    settings.LLM_DAILY_BUDGET = "1.00"
    today = Budget.objects.create(day=datetime.now(UTC).date(), amount=1, currency="EUR", spent="0.7", reserved="0.25")
    admin, page_of_calls = enter("admin"), "/admin/llm/llmcall/"
    told = visible_text(read(admin.get(page_of_calls)).css_first(".notice"))
    assert told == "€0.70 of €1.00 of today's budget (UTC) is used. €0.25 more is reserved for calls under way."
    Budget.objects.filter(pk=today.pk).update(reserved=0)
    assert "held" not in read(admin.get(page_of_calls)).css_first(".notice").text()


def test_a_budget_too_small_for_another_call_is_shown_as_used_up(
    enter: Enter, workspace: Workspace, settings: Settings
) -> None:
    settings.LLM_DAILY_BUDGET = "1.00"
    Budget.objects.create(day=datetime.now(UTC).date(), amount=1, currency="EUR", spent="0.7")
    admin, page_of_calls = enter("admin"), "/admin/llm/llmcall/"

    def ends(outcome: str, *, reason: str = "", purpose: str = "answer") -> str:
        LLMCall.objects.create(
            purpose=purpose, provider="p", model="m", outcome=outcome, reason=reason, started_at=datetime.now(UTC),
            duration_ms=0, is_estimated=False, cost=0,
        )  # fmt: skip
        return visible_text(read(admin.get(page_of_calls)).css_first(".notice"))

    words = "the built-in answerer answers until midnight (UTC)"
    assert words not in ends("skipped", reason="budget", purpose="evaluation")  # has a budget of its own
    assert words in ends("skipped", reason="budget")
    assert words in ends("done", purpose="embed")  # small enough
    assert words not in ends("done")  # after the operator has raised the budget
    Budget.objects.update(spent=1)
    assert words in ends("done")  # it took the rest


def test_without_prices_the_number_of_calls_is_shown(enter: Enter, sample: Sample) -> None:
    tree = read(enter("admin").get("/admin/llm/llmcall/?days=nonsense"))
    assert tree.css_first("figcaption h2").text() == "Calls by purpose"
    assert visible_text(tree.css_first(".seg [aria-current]")) == "14 days"


def test_bars_are_stacked_and_end_below_the_top_line() -> None:
    day = date(2026, 11, 25)
    chart = stacked([day], {"a": {day: Decimal("0.6")}, "b": {day: Decimal("0.4")}})
    low, high = chart.bars
    assert (low.x, low.series, high.series) == (high.x, 1, 2)
    assert high.y == chart.ticks[-1].y
    assert high.y + high.height <= low.y
    assert [tick.label for tick in chart.ticks] == ["0", "0.5", "1"]


@pytest.mark.parametrize(
    ("most", "labels"),
    [("1", "0 1"), ("2", "0 1 2"), ("3", "0 1 2 3 4 5"), ("7", "0 5 10"), ("2.5", "0 2.5 5"), ("30", "0 25 50")],
)
def test_an_axis_of_counts_has_whole_numbers(most: str, labels: str) -> None:
    day = date(2026, 11, 24)
    chart = stacked([day], {"a": {day: Decimal(most)}})
    assert [tick.label for tick in chart.ticks] == labels.split()
    assert chart.bars[0].y >= chart.ticks[-1].y
    assert stacked([], {}).bars == ()


WITHHELD = (Withheld("figure", "It costs <b>€99</b>.", 0.4), Withheld("deed", "I have refunded you.", None))


def asked_and_answered(question: str, answer: Answer) -> Conversation:
    """Return a conversation with this answer, as a runner ends a turn."""
    talk = start_conversation(Customer.objects.create().pk)
    add_customer_message(talk.pk, text=question, client_id="1")
    claim = claim_turn("test", only=talk.pk)
    assert claim is not None
    finish_turn(claim, answer, RetrievalTrace("", (), withheld=answer.withheld, is_confirmed=answer.is_confirmed))
    return talk


def test_a_trace_says_why_a_model_was_not_asked(enter: Enter, workspace: Workspace) -> None:
    talk = asked_and_answered("Is it light?", Answer("It is light.", (), by="builtin", is_confirmed=True))
    turn = Turn.objects.get(conversation=talk)
    for provider, outcome, reason in (("openai", "skipped", "budget"), ("builtin", "done", "")):
        LLMCall.objects.create(
            purpose="answer", provider=provider, model=provider, outcome=outcome, reason=reason, started_at=now(),
            duration_ms=0, is_estimated=False, cost=0, conversation_id=talk.pk, turn_id=turn.pk,
        )  # fmt: skip
    page = visible_text(read(enter("supervisor").get(reverse("admin:trace", args=[turn.message_id]))).body, " ")
    assert page.count("not called: too little of the budget was left") == 1 and "too little budget left" not in page
    assert page.count("Not sent: too little of today's budget is left") == page.count("Sent to the model") == 1


def test_a_conversation_shows_withheld_sentences_with_their_check(enter: Enter, workspace: Workspace) -> None:
    answer = Answer("It is light.", (), by="model", is_confirmed=False, withheld=WITHHELD)
    talk = asked_and_answered("Is it light?", answer)
    tree = read(enter("agent").get(reverse("admin:chat_conversation_change", args=[talk.pk])))
    assert [visible_text(line) for line in tree.css(".l-assistant .trail li")] == [
        "It costs <b>€99</b>.: a figure that does not appear in any article, support 0.40",
        "I have refunded you.: claims or promises something that is not on record",
    ]
    assert "Not confirmed by our articles." in visible_text(tree.css_first(".l-assistant"))


@pytest.mark.long
def test_a_question_whose_answer_was_withheld_is_not_unanswered_but_can_be_filtered(
    enter: Enter, workspace: Workspace
) -> None:
    none = Answer("I could not find this.", (), by="model", is_abstention=True)
    asked_and_answered("Do you ski?", none)
    lost = asked_and_answered("How much is it?", replace(none, withheld=WITHHELD))
    shown = asked_and_answered("Is it light?", Answer("It is light.", (), by="model", withheld=WITHHELD))
    agent = enter("agent")
    page = read(agent.get("/admin/unanswered/", follow=True))
    assert [row.css("td")[1].text(strip=True) for row in page.css("tbody tr")] == ["Do you ski?"]
    assert "How much" not in read(agent.get("/admin/")).css_first("main").text()
    withheld = read(agent.get("/admin/improve/?kind=withheld"))
    assert [row.css("td")[1].text(strip=True) for row in withheld.css("tbody tr")] == ["How much is it?"]
    for value in ("withheld", "held-back"):  # the second one is from earlier versions
        found = read(agent.get(f"/admin/chat/conversation/?checks={value}")).css_first("#result_list").html
        assert str(lost.pk) in found and str(shown.pk) not in found


def test_an_unanswered_question_is_listed_once(enter: Enter, workspace: Workspace) -> None:
    for number, text in enumerate(["Do you ski?", "do you ski", "Do you swim?"]):
        talk = start_conversation(Customer.objects.create().pk)
        Message.objects.create(conversation=talk, seq=2, source="customer", text=text)
        Message.objects.create(conversation=talk, seq=3, source="assistant", text="No idea.", is_abstention=number < 3)
        Message.objects.create(conversation=talk, seq=4, source="customer", text="Never mind.")
    rows = [
        [cell.text(strip=True) for cell in row.css("td")][:2]
        for row in read(enter("editor").get("/admin/improve/?kind=unanswered")).css("tbody tr")
    ]
    assert rows[0][0] == "2"
    assert rows[0][1].casefold().startswith("do you ski")
    assert rows[1] == ["1", "Do you swim?"]
    assert "Do you swim?" in read(enter("agent").get("/admin/")).css_first("main").text()


@pytest.mark.parametrize(
    "model",
    [
        "kb_article", "kb_collection", "chat_conversation", "actions_actionpolicy", "actions_actionrequest",
        "llm_llmcall", "accounts_channel", "accounts_apikey",
    ],
)  # fmt: skip
def test_an_empty_list_explains_how_it_fills(enter: Enter, workspace: Workspace, model: str) -> None:
    empty = read(enter("admin").get(reverse(f"admin:{model}_changelist"))).css_first(".empty")
    assert len(empty.css_first(".muted").text()) > 20
