"""Cases made from findings on *Improve*: each expects the better answer, and customers' data is masked."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from actions.models import ActionRequest
from kb.models import Article
from supportbot.accounts.models import User, Workspace
from supportbot.chat.answers import Answer, Withheld
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_agent_message, add_customer_message
from supportbot.evals import services
from supportbot.evals.grading.graders import grades_of
from supportbot.evals.models import Case
from supportbot.evals.runs.case_outcomes import CaseTry, Reply
from supportbot.evals.suite_formats.files import as_yaml, case_from_yaml, read_suite
from supportbot.evals.suite_formats.own_format import case_document
from supportbot.handoff.models import OfferedDraft
from supportbot.handoff.tickets import services as handoff
from supportbot.insights.improve.findings import Kind, findings
from supportbot.insights.improve.services import dismiss
from supportbot.widget.services import rate
from tests.console.conftest import logged_in, person
from tests.insights.answered_questions import article, ask, cited
from tests.policies import store_policies

pytestmark = pytest.mark.django_db
UNKNOWN = Answer("I could not find this.", (), by="builtin", is_abstention=True)
REFUND = {"action": "refund_order", "arguments": {"order_id": "A-1001"}}
SUITE = "suite: returns\ncases: [{id: one, ask: How?, expect: {abstains: false}}]"


@pytest.fixture
def supervisor(workspace: Workspace) -> Client:
    services.save_suite(read_suite(SUITE.encode(), file=""))
    return logged_in(person(workspace, "supervisor"))


def answer_of(talk: Conversation) -> Message:
    return Message.objects.filter(conversation=talk, source="assistant").latest("seq")


def reply(talk: Conversation, agent: User, text: str) -> None:
    ticket = handoff.request(talk.pk, reason="customer_asked", by="customer")
    handoff.claim(ticket.pk, agent=agent)
    add_agent_message(talk.pk, text=text, author=agent, client_id="a1")


def proposed(client: Client, address: str) -> dict[str, Any]:
    page = LexborHTMLParser(client.get(address).content.decode())
    return case_document(case_from_yaml(page.css_first("textarea[name=text]").text()))


def of_finding(kind: Kind) -> str:
    return reverse("admin:finding-case", args=[kind, findings(kind)[0].subject])


def cases_linked(client: Client, address: str) -> set[str]:
    page = LexborHTMLParser(client.get(address).content.decode())
    links = {link.attributes["href"] or "" for link in page.css("a") if link.text(strip=True) == "Create a case"}
    return {link for link in links if "of-answer" in link or "of-finding" in link}


def passes(document: dict[str, Any], text: str, *, is_abstention: bool = False, source: str = "") -> bool:
    reply = Reply("?", text, citations=({"external_id": source},) if source else (), is_abstention=is_abstention)
    case = case_from_yaml(as_yaml(document))
    return all(grade.passed for grade in grades_of(case, CaseTry((reply,))))


@pytest.mark.long
@pytest.mark.parametrize("kind", [Kind.RATED_BAD, Kind.UNANSWERED, Kind.WITHHELD])
def test_a_case_can_be_made_from_every_kind_of_finding(supervisor: Client, kind: Kind) -> None:
    washing = article("Washing", "Wash it at 30 degrees by hand.")
    held = Answer("None.", (), by="model", is_abstention=True, withheld=(Withheld("figure", "It is 5 €.", 0.1),))
    bad = ask("How warm?", cited(washing, "Wash it at 30 degrees by hand."))
    rate(bad.pk, score=1, comment="", message_id=answer_of(bad).pk)
    ask("Do you ski?", UNKNOWN)
    ask("What does it cost?", held)
    subject, address = findings(kind)[0].subject, of_finding(kind)
    assert cases_linked(supervisor, f"/admin/improve/?kind={kind}") == {address}
    assert cases_linked(supervisor, reverse("admin:improve-group", args=[kind, subject])) == {address}
    assert proposed(supervisor, address)["expect"] == {"abstains": False}


@pytest.mark.long
def test_a_case_can_be_made_from_an_answer_in_its_trace_and_chat(supervisor: Client) -> None:
    washing = article("Washing", "Wash it at 30 degrees by hand.")
    bad = ask("How warm?", cited(washing, "Wash it at 30 degrees by hand."))
    rate(bad.pk, score=1, comment="", message_id=answer_of(bad).pk)
    trace, chat = (
        reverse("admin:trace", args=[answer_of(bad).pk]),
        reverse("admin:chat_conversation_change", args=[bad.pk]),
    )
    of_answer = reverse("admin:answer-case", args=[answer_of(bad).pk])
    assert cases_linked(supervisor, trace) == {of_answer} == cases_linked(supervisor, chat)
    assert proposed(supervisor, of_answer) == proposed(supervisor, of_finding(Kind.RATED_BAD))


def test_a_case_of_a_corrected_draft_expects_the_agents_reply(supervisor: Client, bob: User) -> None:
    sale = article("Returns", "You can return everything within 30 days.")
    talk = ask("I am Alice, alice@example.com: can I return sale items?", UNKNOWN)
    sent = "Hello Alice! Sale items can be returned within 14 days. Write to bob@example.com within 14 days."
    reply(talk, bob, sent)
    add_customer_message(talk.pk, text="And how long is the warranty?", client_id="c2")
    OfferedDraft.objects.create(
        conversation=talk, text="You can return everything within 30 days.", articles=[sale.pk], sent="replaced",
        kept=0.1, is_correction=True, message_id=Message.objects.get(source="agent").pk,
    )  # fmt: skip
    case = proposed(supervisor, of_finding(Kind.CORRECTED))
    assert case["ask"] == "I am [NAME], [EMAIL]: can I return sale items?"
    assert case["expect"] == {"says": ["Sale items can be returned within 14 days."]}
    assert not passes(case, "You can return everything within 30 days.", source="Returns")
    assert passes(case, "Sale items can be returned within 14 days.", source="Returns")


@pytest.mark.long
def test_a_case_of_a_corrected_answer_expects_the_correction_and_not_the_old_source(
    supervisor: Client, bob: User
) -> None:
    washing = article("Washing", "Wash it at 60 degrees.")
    talk = ask("How warm may I wash it?", cited(washing, "Wash it at 60 degrees."))
    reply(talk, bob, "Thank you for waiting. Wash it at 30 degrees.")
    case = proposed(supervisor, of_finding(Kind.CORRECTED))
    assert case["expect"] == {"says": ["Wash it at 30 degrees."]}
    assert proposed(supervisor, reverse("admin:answer-case", args=[answer_of(talk).pk])) == case
    whole = proposed(supervisor, reverse("admin:chat_conversation_evaluation", args=[talk.pk]))
    assert whole["expect"] == case["expect"]


@pytest.mark.long
def test_a_correction_that_states_no_fact_does_not_make_the_old_source_expected(supervisor: Client, bob: User) -> None:
    talk = ask("How warm may I wash it?", cited(article("Washing", "Wash it at 60 degrees."), "Wash it at 60 degrees."))
    reply(talk, bob, "No, at thirty.")
    for address in (
        of_finding(Kind.CORRECTED),
        reverse("admin:answer-case", args=[answer_of(talk).pk]),
        reverse("admin:chat_conversation_evaluation", args=[talk.pk]),
    ):
        assert proposed(supervisor, address)["expect"] == {"abstains": False}


def request_of(talk: Conversation, *states: str) -> None:
    """Store a refund that the assistant proposed in a conversation, and its outcome."""
    ActionRequest.objects.create(
        customer_id=talk.customer_id, conversation_id=talk.pk, proposal_key="1", action="refund_order", spec_version=1,
        policy_version=store_policies(talk.workspace)[0].current, asked_digest="a", digest="b",
        arguments={"order_id": "A-1001"},
        proposed_by="assistant",
    )  # fmt: skip
    for state in states:
        ActionRequest.objects.update(
            state=state,
            reason_code="outside_window" if state == "refused" else "",
            lease_until=now() if state == "executing" else None,
        )


def test_a_case_of_a_chat_expects_the_teams_reply_and_not_a_wrong_action(
    supervisor: Client, bob: User, workspace: Workspace
) -> None:
    talk = ask("Cancel order A-1001, please.", UNKNOWN)
    address = reverse("admin:chat_conversation_evaluation", args=[talk.pk])
    request_of(talk)
    assert proposed(supervisor, address)["expect"] == {"proposes": REFUND}
    reply(talk, bob, "I have cancelled order A-1001 and you pay 0 €.")
    assert proposed(supervisor, address)["expect"] == {"says": ["I have cancelled order A-1001 and you pay 0 €."]}


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("states", "expected"),
    [
        (("queued", "executing", "succeeded"), {"proposes": REFUND}),
        (("awaiting_approval",), {"proposes": REFUND}),
        (("refused",), {"refuses": "outside_window"}),
        (("awaiting_confirmation", "cancelled"), {}),
        (("awaiting_approval", "rejected"), {}),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_facts_of_the_team_are_added_to_an_action_that_was_right(
    supervisor: Client, bob: User, workspace: Workspace, states: tuple[str, ...], expected: dict[str, Any]
) -> None:
    talk = ask("Refund order A-1001, please.", UNKNOWN)
    request_of(talk, *states)
    reply(talk, bob, "You will have the 20 € within 5 working days.")
    case = proposed(supervisor, reverse("admin:chat_conversation_evaluation", args=[talk.pk]))
    assert case["expect"] == {**expected, "says": ["You will have the 20 € within 5 working days."]}


def test_names_of_the_team_are_masked_in_a_customers_messages(supervisor: Client, bob: User) -> None:
    washing = article("Washing", "Wash it at 60 degrees by hand.")
    talk = ask("How warm may I wash it?", cited(washing, "Wash it at 60 degrees by hand."))
    reply(talk, bob, "Let me have a look at this for you.")
    name = Message.objects.get(conversation=talk, source="agent").author_name
    add_customer_message(talk.pk, text=f"Thank you {name}, and may I iron it?", client_id="c2")
    case = proposed(supervisor, reverse("admin:chat_conversation_evaluation", args=[talk.pk]))
    assert name and case["steps"][1]["say"] == "Thank you [NAME], and may I iron it?"


def test_a_case_of_an_answer_rated_untrue_fails_for_that_answer(supervisor: Client) -> None:
    washing = article("Washing", "Wash it at 60 degrees by hand.")
    talk = ask("How warm may I wash it?", cited(washing, "Wash it at 60 degrees by hand."))
    rate(talk.pk, score=1, comment="", message_id=answer_of(talk).pk, reason="wrong")
    case = proposed(supervisor, of_finding(Kind.RATED_BAD))
    assert case["expect"] == {"abstains": False, "never_says": ["Wash it at 60 degrees by hand."]}
    assert not passes(case, "Wash it at 60 degrees by hand. [1]", source="Washing")
    assert passes(case, "Wash it at 30 degrees by hand. [1]", source="Washing")


def test_a_case_asks_only_the_questions_up_to_an_answer_and_keeps_a_good_answers_source(supervisor: Client) -> None:
    washing = article("Washing", "Wash it at 30 degrees.")
    talk = ask("How warm may I wash it?", cited(washing, "Wash it at 30 degrees."))
    add_customer_message(talk.pk, text="And where is my parcel?", client_id="c2")
    address = reverse("admin:answer-case", args=[answer_of(talk).pk])
    case = proposed(supervisor, address)
    assert (case["ask"], case["expect"]) == ("How warm may I wash it?", {"source": ["Washing"]})
    suite = services.save_suite(read_suite(SUITE.encode(), file=""))
    saved = supervisor.post(address, {"suite": suite.pk, "text": as_yaml(case)})
    assert saved.status_code == 302 and Case.objects.filter(key=case["id"]).exists()


def test_a_typed_case_is_kept_after_its_finding_has_disappeared(supervisor: Client, workspace: Workspace) -> None:
    ask("Do you ski?", UNKNOWN)
    address = of_finding(Kind.UNANSWERED)
    typed = "id: skis\nask: Do you ski?\nexpect: {}"
    [subject] = [one.subject for one in findings(Kind.UNANSWERED)]
    dismiss(Kind.UNANSWERED, [subject], reason="No skis", person=None)
    suite = services.save_suite(read_suite(SUITE.encode(), file=""))
    assert supervisor.get(address).status_code == 404
    wrong = supervisor.post(address, {"suite": suite.pk, "text": typed})
    assert wrong.status_code == 400 and b"Do you ski?" in wrong.content
    saved = supervisor.post(address, {"suite": suite.pk, "text": typed.replace("{}", "{abstains: true}")})
    assert saved.status_code == 302 and Case.objects.filter(key="skis").exists()


def test_an_edit_of_a_group_that_was_settled_meanwhile_keeps_its_text(supervisor: Client, editor: Client) -> None:
    ask("Do you ski?", UNKNOWN)
    [one] = findings(Kind.UNANSWERED)
    where = reverse("admin:improve-group", args=[Kind.UNANSWERED, one.subject])
    dismiss(Kind.UNANSWERED, [one.subject], reason="No skis", person=None)
    late = editor.post(where, {"do": "publish", "article": "new", "title": "Skis", "body": "We sell none."})
    assert late.status_code == 409 and b"We sell none." in late.content and not Article.objects.exists()
    assert supervisor.post(where, {"do": "publish", "body": "Mine."}).status_code == 403  # a role that may not write


def test_people_without_the_right_to_evaluate_cannot_make_cases(supervisor: Client, editor: Client) -> None:
    talk = ask("Do you ski?", UNKNOWN)
    of_answer = reverse("admin:answer-case", args=[answer_of(talk).pk])
    assert cases_linked(editor, "/admin/improve/?kind=unanswered") == set()
    for address in (of_finding(Kind.UNANSWERED), of_answer):
        assert editor.get(address).status_code == 403
        assert editor.post(address, {"text": "id: mine"}).status_code == 403
    assert Case.objects.count() == 1
    for address in (
        of_finding(Kind.UNANSWERED).replace("unanswered", "broken"),
        of_answer.replace(str(answer_of(talk).pk), str(talk.pk)),
    ):
        assert supervisor.get(address).status_code == 404


def test_a_finding_of_another_workspace_is_not_found(mallory: User, workspace: Workspace) -> None:
    talk = ask("Do you ski?", UNKNOWN)
    mallory.is_staff = True
    mallory.save()
    stranger = logged_in(mallory)
    assert stranger.get(of_finding(Kind.UNANSWERED)).status_code == 404
    assert stranger.get(reverse("admin:answer-case", args=[answer_of(talk).pk])).status_code == 404
