"""The page for improvements: weak answers are found, grouped, corrected, replayed, published or dismissed, and then
gone.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article
from kb.services import Change, save_draft
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.builtin.phrases import say
from supportbot.chat.answers import Answer, Withheld
from supportbot.chat.models import Conversation, Message
from supportbot.chat.retrieval_trace import RetrievalTrace, TracedPassage
from supportbot.chat.services import add_agent_message, add_customer_message, start_conversation
from supportbot.handoff.desk.assistant_activity import CHECK_LABELS
from supportbot.handoff.tickets import services as handoff
from supportbot.insights.improve import contradictions as comparing
from supportbot.insights.improve.api import GroupThrottle
from supportbot.insights.improve.clusters import clusters
from supportbot.insights.improve.findings import Kind, findings
from supportbot.insights.models import Handled
from supportbot.llm.models import LLMBody, LLMCall
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.releases.models import ReleaseGates
from supportbot.widget.services import rate
from tests.console.conftest import logged_in, person
from tests.insights.answered_questions import article, ask, cited
from tests.pages import visible_text
from tests.rest import service

pytestmark = pytest.mark.django_db
UNKNOWN = Answer("I could not find this.", (), by="builtin", is_abstention=True)


def answer_of(talk: Conversation) -> Message:
    return Message.objects.filter(conversation=talk, source="assistant").latest("seq")


def reply(talk: Conversation, agent: User, text: str) -> None:
    ticket = handoff.request(talk.pk, reason="customer_asked", by="customer")
    handoff.claim(ticket.pk, agent=agent)
    add_agent_message(talk.pk, text=text, author=agent, client_id="a1")
    handoff.resolve(ticket.pk, agent=agent)


def listed(client: Client, kind: str) -> list[list[str]]:
    page = LexborHTMLParser(client.get(f"/admin/improve/?kind={kind}").content.decode())
    return [[visible_text(cell) for cell in row.css("td")[:2]] for row in page.css("tbody tr")]


def group_page(client: Client, kind: Kind, **data: str) -> Any:
    address = reverse("admin:improve-group", args=[kind, findings(kind)[0].subject])
    return client.post(address, data, follow=True) if data else client.get(address)


@pytest.mark.long
def test_each_kind_finds_its_conversations_but_no_courtesies(editor: Client, bob: User) -> None:
    washing = article("Washing", "Wash it at 30 degrees by hand.")
    known = cited(washing, "Wash it at 30 degrees by hand.")
    ask("Do you ski?", UNKNOWN)
    ask("Thank you", Answer("You are welcome.", (), by="model", courtesy="thanks"))
    held = Answer("None.", (), by="model", is_abstention=True, withheld=(Withheld("figure", "It is 5 €.", 0.1),))
    ask("What does it cost?", held)
    bad = ask("How warm?", known)
    rate(bad.pk, score=1, comment="Write to me: alice@example.com", message_id=answer_of(bad).pk, reason="wrong")
    corrected = ask("Can I wash it at 60?", known)
    reply(corrected, bob, "No, that would harm it: 30 degrees at most.")
    called = ask("What is hand wash?", known)
    handoff.request(called.pk, reason="customer_asked", by="customer")
    assert listed(editor, "unanswered") == [["1", "Do you ski?"]]
    assert listed(editor, "withheld") == [["1", "What does it cost?"]]
    assert listed(editor, "rated_bad") == [["1", "How warm? not true: Write to me: [EMAIL]"]]
    assert listed(editor, "corrected") == [["1", "Can I wash it at 60?"]]
    assert listed(editor, "handed_over") == [["1", "What is hand wash?"]]
    assert editor.get("/admin/improve/?kind=other").status_code == 400


def test_a_plain_request_for_a_person_is_no_failed_answer(editor: Client, workspace: Workspace) -> None:
    known = cited(article("Washing", "Wash it at 30 degrees by hand."), "Wash it at 30 degrees by hand.")
    for talk in (
        ask("I want to talk to a person", Answer("I am passing this on to a person.", (), by="builtin")),
        ask("Where is my order?", Answer("It was sent on 4 March.", (), by="builtin")),  # not from an article
        start_conversation(Customer.objects.create(external_id="carol").pk),
    ):
        handoff.request(talk.pk, reason="customer_asked", by="customer")
    assert listed(editor, "handed_over") == []
    answered = ask("What is hand wash?", known)
    add_customer_message(answered.pk, text="I want to talk to a person", client_id="again")
    handoff.request(answered.pk, reason="customer_asked", by="assistant")
    assert listed(editor, "handed_over") == [["1", "What is hand wash?"]]


@pytest.mark.parametrize("language", ["en", "tr"])
def test_an_action_that_the_chat_cannot_prepare_is_not_an_unanswered_question(editor: Client, language: str) -> None:
    ask("Do you ski?", UNKNOWN)
    refusal = f"{say('cannot_take', language, part='Details')} {say('offer', language)}"
    ask("Register my tent", Answer(refusal, (), by="builtin", is_abstention=True, offers_human=True))
    assert listed(editor, "unanswered") == [["1", "Do you ski?"]]


def test_a_withheld_answer_is_shown_with_the_reason(editor: Client, workspace: Workspace) -> None:
    lost = (Withheld("figure", "It is 5 €, says alice@example.com.", 0.1),)
    held = Answer("None.", (), by="model", is_abstention=True, withheld=lost)
    ask("What does it cost?", held, trace=RetrievalTrace("cost", (), lost, None))
    ask("Do you ski?", UNKNOWN, trace=RetrievalTrace("ski", (), lost, None))
    page = LexborHTMLParser(group_page(editor, Kind.WITHHELD).content.decode())
    told = visible_text(page.css_first("[aria-labelledby=h-withheld]"))
    assert "It is 5 €, says [EMAIL]." in told and CHECK_LABELS["figure"] in told
    assert "h-withheld" not in group_page(editor, Kind.UNANSWERED).content.decode()


def test_the_answer_is_shown_next_to_the_teams_reply_and_the_edit(editor: Client, bob: User) -> None:
    washing = article("Washing", "Wash it by hand.")
    talk = ask("Can I wash it at 60?", cited(washing, "Wash it by hand."))
    reply(talk, bob, "No, that would harm it: 30 degrees at most. Write to bob@example.com.")
    page = LexborHTMLParser(group_page(editor, Kind.CORRECTED).content.decode())
    both = page.css(".ba > section")
    told = {one.css_first(".lbl").text(): visible_text(one.css_first(".said"), " ") for one in both}
    assert told == {
        "The assistant said": "Wash it by hand. [1]",
        "The team sent": "No, that would harm it: 30 degrees at most. Write to [EMAIL].",
    }
    changes = page.css_first(".diff table")
    assert any(visible_text(one, " ").startswith("No, that would harm it") for one in changes.css("td.add"))
    assert changes.css("td.del") == [] and page.css_first("#into option[selected]").text().strip() == "Washing"


def test_questions_of_the_same_meaning_are_one_group(workspace: Workspace, settings: Any) -> None:
    settings.KB_EMBEDDER = "packaged"
    leaks = [f"My tent leaks, number {number}" for number in (7, 9)]
    for text in ("Do you repair tents?", "Can I have my tent repaired?", *leaks, "Is there a student discount?"):
        ask(text, UNKNOWN)
    groups = [sorted(group.questions) for group in clusters(findings(Kind.UNANSWERED))]
    assert ["Can I have my tent repaired?", "Do you repair tents?"] in groups
    assert leaks in groups
    assert ["Is there a student discount?"] in groups


@pytest.mark.long
@pytest.mark.django_db(transaction=True)  # the model is called in another thread
def test_an_agents_reply_becomes_an_article_and_the_questions_are_done(editor: Client, bob: User) -> None:
    talk = ask("Can I rent a tent?", UNKNOWN)
    ask("can I rent a tent", UNKNOWN)
    reply(talk, bob, "Yes, you can rent a tent in Freiburg, write to bob@example.com.")
    form = LexborHTMLParser(group_page(editor, Kind.UNANSWERED).content.decode())
    body = form.css_first("#body").text()
    assert "you can rent a tent in Freiburg, write to [EMAIL]." in body
    draft = {"article": "new", "title": "Renting a tent", "body": "You can rent a tent in Freiburg."}
    replayed = group_page(editor, Kind.UNANSWERED, do="replay", **draft)
    shown = LexborHTMLParser(replayed.content.decode())
    assert not Article.objects.exists()
    assert [tag.text(strip=True) for tag in shown.css(".form-main .sheet p .tag")] == ["Better", "Better"]
    assert shown.css_first("#body").text().strip() == draft["body"]
    published = group_page(editor, Kind.UNANSWERED, do="publish", **draft)
    assert published.redirect_chain
    made = Article.objects.get()
    assert (made.title, made.is_live) == ("Renting a tent", True)
    assert listed(editor, "unanswered") == []
    assert set(Handled.objects.values_list("outcome", "article_id")) == {("published", made.pk)}


@pytest.mark.long
def test_an_edit_changes_the_cited_article_but_not_a_colleagues_draft(editor: Client) -> None:
    washing = article("Washing", "Wash it by hand.")
    bad = ask("How warm?", cited(washing, "Wash it by hand."))
    rate(bad.pk, score=2, comment="", message_id=answer_of(bad).pk)
    form = LexborHTMLParser(group_page(editor, Kind.RATED_BAD).content.decode())
    assert form.css_first("#body").text().startswith("Wash it by hand.\n\n## How warm?")
    save_draft(washing.pk, Change(body="Wash it by machine."))
    text = {"article": str(washing.pk), "title": "Washing", "body": "Wash it at 30 degrees."}
    late = group_page(editor, Kind.RATED_BAD, do="publish", based_on="1", **text)
    assert "Revision 2 has been saved in the meantime" in late.content.decode()
    assert "Wash it at 30 degrees." in late.content.decode()  # the typed text is kept
    assert not Handled.objects.exists()
    group_page(editor, Kind.RATED_BAD, do="publish", based_on="2", **text)
    washing.refresh_from_db()
    assert washing.live_revision is not None and washing.live_revision.body.strip() == "Wash it at 30 degrees."


def test_the_page_says_that_publishing_waits_for_the_gates(editor: Client) -> None:
    ask("How do I descale the kettle?", UNKNOWN)
    assert b"data-waiting=" not in group_page(editor, Kind.UNANSWERED).content
    ReleaseGates.objects.create(suites=["promises"])
    shown = LexborHTMLParser(group_page(editor, Kind.UNANSWERED).content.decode())
    [button] = shown.css("button[data-waiting]")
    assert button.attributes["value"] == "publish" and shown.css("[data-waiting-here][role=status]")


def test_a_dismissal_needs_a_reason_and_a_right(editor: Client, workspace: Workspace) -> None:
    ask("Who won the cup?", UNKNOWN)
    assert "Explain briefly" in group_page(editor, Kind.UNANSWERED, do="dismiss", reason=" ").content.decode()
    agent = logged_in(person(workspace, "agent"))
    assert group_page(agent, Kind.UNANSWERED, do="dismiss", reason="No").status_code == 403
    assert not Handled.objects.exists()
    group_page(editor, Kind.UNANSWERED, do="dismiss", reason="Not about us")
    assert Handled.objects.values_list("outcome", "reason").get() == ("dismissed", "Not about us")
    assert listed(editor, "unanswered") == []


@pytest.mark.django_db(transaction=True)  # the model is called in another thread
@pytest.mark.long
def test_a_connected_model_rewrites_the_replies(editor: Client, bob: User) -> None:
    reply(ask("Can I rent a tent?", UNKNOWN), bob, "Hi Alice, yes, for 25 euros a weekend.")
    without = group_page(editor, Kind.UNANSWERED, do="rewrite")
    assert "No model is connected" in without.content.decode()
    sent = {"article": "new", "title": "Tents for rent", "body": "25 euros a weekend, in Freiburg only."}
    for do, told in (("rewrite", "No model is connected"), ("publish", "The title is empty")):
        typed = {**sent, "title": ""} if do == "publish" else sent
        kept = LexborHTMLParser(group_page(editor, Kind.UNANSWERED, do=do, **typed).content.decode())
        assert told in visible_text(kept) and kept.css_first("#body").text().strip() == sent["body"]
        assert kept.css_first("#title").attributes["value"] == typed["title"]
    with answering(ScriptedModel(Says("A tent costs 25 euros a weekend."))):
        page = LexborHTMLParser(group_page(editor, Kind.UNANSWERED, do="rewrite").content.decode())
    assert page.css_first("#body").text().strip() == "A tent costs 25 euros a weekend."


@pytest.mark.long
def test_each_tab_shows_its_count(workspace: Workspace, editor: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def tabs() -> dict[str, str]:
        page = LexborHTMLParser(editor.get("/admin/improve/").content.decode())
        found = [visible_text(one).split() for one in page.css("nav.seg a")]
        return {" ".join(words[:-1]): words[-1] for words in found if words[-1].isdigit()}

    shown = tabs()
    assert set(shown.values()) == {"0"} and len(shown) == 8
    ask("Do you ski?", UNKNOWN)
    article("Returns", "You can send unused items back within 60 days of delivery.")
    article("Gifts", "Unused items can be sent back within 14 days of delivery.")
    shown = tabs()
    assert (shown["Unanswered"], shown["Contradictory"], shown["Withheld"]) == ("1", "1", "0")
    monkeypatch.setattr(comparing, "FEW_ARTICLES", 1)
    article("Boots", "Worn boots can be exchanged once within 30 days.")
    assert "Contradictory" not in tabs()  # counting them would take seconds
    page = LexborHTMLParser(editor.get("/admin/improve/?kind=contradicting").content.decode())
    assert "14 days" in [one.text() for one in page.css("mark")]
    assert tabs()["Contradictory"] == "1"


def test_one_page_shows_a_whole_turn(workspace: Workspace, editor: Client) -> None:
    washing = article("Washing", "Wash it by hand.")
    passage = TracedPassage(str(washing.pk), "Washing", "", 1, 3.25, 0.91)
    trace = RetrievalTrace("How warm?", (passage,), (Withheld("figure", "It is 5 €.", 0.1),), True)
    said = replace(cited(washing, "Wash it by hand."), text="Wash it **by hand**. [1]")
    answer = answer_of(ask("How warm?", said, trace=trace))
    turn = answer.conversation.turns.get()
    call = LLMCall.objects.create(
        turn_id=turn.pk, conversation_id=answer.conversation_id, purpose="answer", provider="openai", model="m-1",
        input_tokens=812, output_tokens=33, cost="0.0021", currency="EUR", duration_ms=900, outcome="done",
        time_to_first_token_ms=300,
    )  # fmt: skip
    LLMBody.objects.create(call=call, request="Answer [e-mail]", response="By hand", expires_at=now() + timedelta(1))
    page = logged_in(person(workspace, "supervisor")).get(reverse("admin:trace", args=[answer.pk]))
    tree = LexborHTMLParser(page.content.decode())
    assert [one.text() for one in tree.css(".answer strong")] == ["by hand"]
    told = visible_text(tree)
    for part in (
        "How warm?",
        "Washing",
        "3.25",
        "0.91",
        "It is 5 €.",
        "812",
        "Answer [e-mail]",
        "€0.0021",
        "First word",
    ):
        assert part in told, part
    assert editor.get(reverse("admin:trace", args=[answer.pk])).status_code == 403
    agent = logged_in(person(workspace, "agent")).get(reverse("admin:trace", args=[answer.pk]))
    assert "0.0021" not in agent.content.decode()
    assert "Answer [e-mail]" not in agent.content.decode()  # as on the call's own page


def test_overview_improve_and_rest_count_the_same_questions(editor: Client, workspace: Workspace) -> None:
    for question in ("Do you ski?", "do you ski??", "Do you rent tents?"):
        ask(question, UNKNOWN)
    overview = visible_text(LexborHTMLParser(editor.get("/admin/").content.decode()).css_first("main"), " ")
    group_page = visible_text(LexborHTMLParser(editor.get("/admin/improve/").content.decode()).css_first("main"), " ")
    kinds = service(workspace, "kb:read").get("/api/v1/improve").json()["results"]
    assert "Show all 3" in overview and "Questions: 3. Groups of questions with the same meaning: 2." in group_page
    assert [one["findings"] for one in kinds if one["kind"] == "unanswered"] == [3]


def test_a_program_reads_the_list_of_improvements(workspace: Workspace) -> None:
    for question in ("Do you ski?", "do you ski??", "Is Ann at ann@example.com?"):
        ask(question, UNKNOWN)
    article("One", "Unused items can be returned within 14 days.")
    article("Two", "Unused items can be returned within 60 days.")
    address = "/api/v1/improve"
    reader, program = service(workspace, "kb:read"), service(workspace, "kb:read", "kb:write", "conversations:read")
    counts = {one["kind"]: one["findings"] for one in reader.get(address).json()["results"]}
    assert counts["unanswered"] == 3 and counts["contradicting"] == 1 and counts["rated_bad"] == 0
    groups = {one["question"]: one for one in program.get(f"{address}/unanswered").json()["results"]}
    assert set(groups) == {"do you ski??", "Is Ann at [EMAIL]?"}
    skiing = groups["do you ski??"]
    assert skiing["times"] == 2 and skiing["questions"] == ["do you ski??", "Do you ski?"]
    assert len(skiing["conversations"]) == 2
    assert all(one["conversations"] == [] for one in reader.get(f"{address}/unanswered").json()["results"])
    [pair] = reader.get(f"{address}/contradicting").json()["results"]
    assert {one["title"] for one in pair["statements"]} == {"One", "Two"}
    assert program.post(f"{address}/contradicting/{pair['subject']}/dismiss", {"reason": "Both hold"}, format="json")
    assert program.get(f"{address}/contradicting").json()["results"] == []


def test_a_program_dismisses_an_improvement_with_a_reason(
    workspace: Workspace, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for question in ("Do you ski?", "Is Ann at ann@example.com?"):
        ask(question, UNKNOWN)
    address = "/api/v1/improve"
    reader, program = service(workspace, "kb:read"), service(workspace, "kb:read", "kb:write", "conversations:read")
    groups = {one["question"]: one for one in program.get(f"{address}/unanswered").json()["results"]}
    dismissal = f"{address}/unanswered/{groups['Do you ski?']['subject']}/dismiss"
    for client, given, status in (
        (reader, {"reason": "Not ours"}, 403),
        (program, {"reason": " "}, 400),
        (program, {"reason": "x" * 301}, 400),
        (program, {"reason": "Not ours", "by": "me"}, 400),
        (service(other_workspace, "kb:read", "kb:write"), {"reason": "Not ours"}, 404),
    ):
        assert client.post(dismissal, given, format="json").status_code == status, given
    assert program.get(f"{address}/others").status_code == 404
    with monkeypatch.context() as patched:
        patched.setattr(GroupThrottle, "rate", "3/min", raising=False)
        limited = service(other_workspace, "kb:read")
        assert [limited.get(address).status_code for _ in range(4)][-1] == 429
    assert service(workspace, "evals:read").get(address).status_code == 403
    assert not Handled.objects.exists()
    assert program.post(dismissal, {"reason": "Not ours"}, format="json").status_code == 204
    assert set(Handled.objects.values_list("outcome", "reason")) == {("dismissed", "Not ours")}
    assert program.post(dismissal, {"reason": "Not ours"}, format="json").status_code == 404
    assert [one["times"] for one in program.get(f"{address}/unanswered").json()["results"]] == [1]
