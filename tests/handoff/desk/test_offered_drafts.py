"""What agents do with drafts (send, edit, replace or ignore them), and the pages that show it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.erasure import erase_all_conversations
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_agent_message, add_customer_message, start_conversation
from supportbot.chat.tasks import retain
from supportbot.handoff.desk import offered_drafts
from supportbot.handoff.desk.offered_drafts import Use, use_of
from supportbot.handoff.models import OfferedDraft, Ticket
from supportbot.handoff.ports import Doubt, GeneratedDraft
from supportbot.handoff.tasks import send_mail
from supportbot.handoff.tickets import services
from supportbot.insights.improve.findings import Kind, findings
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from supportbot.releases.selectors import live_release
from tests.console.conftest import logged_in, person
from tests.handoff.desk.test_drafting import ask_for_draft, knowledge

__all__ = ["knowledge"]  # a fixture
CASES = [json.loads(line) for line in (Path(__file__).parent / "draft_cases.jsonl").read_text().splitlines()]
DRAFT = "You can return unused items within 60 days of delivery. The label is free within Germany."


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["sent"][:40])
def test_a_reply_decides_the_outcome_of_a_draft(case: dict[str, Any]) -> None:
    use = use_of(case["draft"], case["sent"], language="en")
    assert (use.sent, use.is_correction) == (case["outcome"], case["corrects"]), use


@pytest.fixture
def talk(knowledge: None, ticket: Ticket, bob: User) -> Conversation:
    services.claim(ticket.pk, agent=bob)
    add_customer_message(ticket.conversation_id, text="How long can I return unused items?", client_id="q1")
    return ticket.conversation


def offer(ticket: Ticket, agent: User, text: str = DRAFT) -> OfferedDraft:
    with answering(ScriptedModel(Says(f"{text} [1]"))):
        assert ask_for_draft(agent, ticket).status_code == 200
    return OfferedDraft.objects.latest("created_at")


def reply(talk: Conversation, agent: User, text: str) -> None:
    add_agent_message(talk.pk, text=text, author=agent, client_id=f"a{Message.objects.count()}")
    deliver_due()


@pytest.mark.one_in(3)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("texts", "sent", "corrects"),
    [
        ((DRAFT,), "as_is", False),
        (("Hi Alice! " + DRAFT,), "edited", False),
        ((DRAFT.replace("60", "30"),), "edited", True),
        (("Sorry, sale items cannot be returned at all.",), "replaced", True),
        (("One moment, please.", DRAFT), "as_is", False),
        ((DRAFT, "Is there anything else I can do for you?"), "as_is", False),
        ((), "", False),
    ],
)
def test_a_reply_is_compared_with_the_draft(
    talk: Conversation, ticket: Ticket, bob: User, texts: tuple[str, ...], sent: str, corrects: bool
) -> None:
    offer(ticket, bob)
    for text in texts:
        reply(talk, bob, text)
    draft = OfferedDraft.objects.get()
    assert (draft.sent, draft.is_correction, draft.person) == (sent, corrects, bob)
    assert draft.release_id == live_release().pk and len(draft.articles) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_replies_to_later_questions_or_by_others_do_not_count_for_a_draft(
    talk: Conversation, ticket: Ticket, bob: User, noor: User
) -> None:
    offer(ticket, bob)
    services.transfer(ticket.pk, agent=bob, to=noor)
    reply(talk, noor, "Bob is away, I will look into it for you.")
    services.transfer(ticket.pk, agent=noor, to=bob)
    assert OfferedDraft.objects.get().sent == ""
    reply(talk, bob, "No, sale items cannot be returned.")
    add_customer_message(talk.pk, text="And how long can I return unused items?", client_id="q2")
    reply(talk, bob, DRAFT)
    assert OfferedDraft.objects.get().sent == "replaced"
    second = offer(ticket, bob)
    reply(talk, bob, DRAFT + " Bye!")
    second.refresh_from_db()
    assert second.sent == "edited"
    OfferedDraft.objects.update(created_at=now() - timedelta(days=2), sent="", kept=None, message_id=None)
    reply(talk, bob, DRAFT + " As I said.")
    assert not OfferedDraft.objects.exclude(sent="").exists()  # too late to have been made from a draft


@pytest.mark.django_db(transaction=True)
@pytest.mark.long
def test_shares_are_shown_by_release_and_person_and_corrections_in_improve(
    talk: Conversation, ticket: Ticket, bob: User, workspace: Workspace
) -> None:
    for text in (DRAFT, DRAFT.replace("60", "30"), ""):
        offer(ticket, bob)
        if text:
            reply(talk, bob, text)
    OfferedDraft.objects.filter(sent="").update(created_at=now() - timedelta(hours=25))
    offer(ticket, bob)  # may still be sent
    supervisor = logged_in(person(workspace, "supervisor"))

    def row(address: str) -> list[str]:
        page = LexborHTMLParser(supervisor.get(address).content.decode())
        [found] = page.css("[aria-labelledby=h-drafts] tbody tr")
        return [cell.text(strip=True) for cell in found.css("th, td")]

    shares = ["3", "33%", "33%", "0%", "33%"]
    assert row("/admin/improve/?kind=corrected") == ["Release 1", *shares]
    assert row("/admin/results/?by=agent") == [bob.display_name, *shares]
    assert b"h-drafts" not in supervisor.get("/admin/results/?by=channel").content
    [finding] = findings(Kind.CORRECTED)
    assert finding.answer == DRAFT and DRAFT.replace("60", "30") in finding.replies
    group = supervisor.get(f"/admin/improve/corrected/{finding.subject}/").content.decode()
    assert "Returns" in group and "within 30 days" in group  # the article that the draft was made from
    talk.delete()
    assert not OfferedDraft.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_reply_is_mailed_even_if_its_comparison_fails(
    talk: Conversation, ticket: Ticket, bob: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    services.set_contact_email(ticket.pk, email="alice@example.com")
    offer(ticket, bob)
    # The database refuses the comparison, and everything else in the same transaction.
    monkeypatch.setattr(offered_drafts, "use_of", lambda *_, **__: Use("longer than its column", 1.0, False))
    reply(talk, bob, DRAFT)
    send_mail()
    assert [letter.to for letter in mail.outbox] == [["alice@example.com"]]
    assert not Announcement.objects.filter(topic="agent_replied", delivered_at=None).exists()
    assert OfferedDraft.objects.get().sent == ""


def drafted(days: int) -> OfferedDraft:
    """Return a corrected draft from `days` days ago."""
    made: OfferedDraft = OfferedDraft.objects.create(
        conversation=start_conversation(Customer.objects.create().pk), text=DRAFT, sent="edited", kept=0.6,
        is_correction=True, created_at=now() - timedelta(days=days),
    )  # fmt: skip
    return made


@pytest.mark.django_db
def test_texts_of_old_drafts_are_emptied_at_night_and_their_figures_kept(
    workspace: Workspace, other_workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=other_workspace.pk).update(keep_bodies_days=5)
    ages = {workspace: (29, 31), other_workspace: (4, 6)}
    for where, days in ages.items():
        with workspace_scope(where.pk):
            for age in days:
                drafted(age)
    retain()
    for where in ages:
        with workspace_scope(where.pk):
            young, old = OfferedDraft.objects.all()
            assert (young.text, old.text) == (DRAFT, "")
            assert (old.sent, old.kept, old.is_correction) == ("edited", 0.6, True)
    Workspace.objects.filter(pk=workspace.pk).update(keep_bodies_days=300)
    with workspace_scope(workspace.pk):
        drafted(31)
        retain()
        assert OfferedDraft.objects.filter(text=DRAFT).count() == 1  # never longer than 30 days


@pytest.mark.django_db
def test_improve_lists_no_draft_whose_text_is_gone(talk: Conversation, bob: User) -> None:
    add_agent_message(talk.pk, text="No, sale items cannot be returned.", author=bob, client_id="a1")
    sent = Message.objects.get(source="agent")
    OfferedDraft.objects.create(
        conversation=talk, text=DRAFT, sent="replaced", kept=0.1, is_correction=True, message_id=sent.pk
    )
    assert len(findings(Kind.CORRECTED)) == 1
    OfferedDraft.objects.update(text="")
    assert findings(Kind.CORRECTED) == []


def erases(conversation: Conversation, draft: GeneratedDraft) -> list[Doubt]:
    """Stand in for the check of a draft, during which the customer erases the conversation."""
    customer = conversation.customer
    assert erase_all_conversations(CustomerCaller(customer.workspace_pk, customer.pk, is_verified=True)) == 1
    return []


@pytest.mark.django_db(transaction=True)
def test_a_draft_of_a_conversation_that_is_erased_meanwhile_is_not_found(
    talk: Conversation, ticket: Ticket, bob: User, settings: Any
) -> None:
    settings.HANDOFF_DRAFT_CHECKS = f"{__name__}.erases"
    with answering(ScriptedModel(Says(f"{DRAFT} [1]"))):
        answer = ask_for_draft(bob, ticket)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert not OfferedDraft.objects.exists()
