"""A replay of customers' recent questions with a draft, in the console: it shows differences and changes nothing."""

from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from actions.models import ActionRequest
from actions.testing import FakeShop
from kb.models import Article
from supportbot.accounts.models import Customer, Workspace
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import add_customer_message, start_conversation
from supportbot.evals import build_fingerprint, outbox_consumers, tasks
from supportbot.evals.errors import ReplayInvalid
from supportbot.evals.models import Replay, ReplayedQuestion
from supportbot.evals.replays import replay_worker
from supportbot.handoff.models import Ticket
from supportbot.llm.errors import ProviderRefused, Reason
from supportbot.llm.ports import ProviderEvent
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import Finished, ModelRequest, TextDelta, Usage
from supportbot.outbox.models import Announcement
from supportbot.releases.document import Document, stored
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, next_number
from tests.assistant.conftest import returns_article, shop
from tests.console.conftest import Enter
from tests.pages import visible_text

__all__ = ["returns_article", "shop"]  # fixtures
pytestmark = pytest.mark.django_db(transaction=True)
QUESTIONS = (
    "How many days do I have to return unused items?",
    "Is the label free?",
    "When is my refund paid?",
    "Do you repair tents?",
    "Who pays for the label?",
)


class Obedient(ScriptedModel):
    """A model that says nothing was found if its instructions demand it and the question is about the label."""

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ProviderEvent, None]:
        rules, asked = request.messages[0].content, request.messages[-1].content
        is_silent = "Never speak of labels" in rules and "label" in asked
        yield TextDelta("I could not find this." if is_silent else "The label is free within Germany. [1]")
        yield Finished("stop", Usage(10, 5), self.name, self.model)


class Killed(BaseException):
    """An error that nothing catches, as if the process were killed."""


@pytest.fixture
def asked(alice: Customer, returns_article: Article, shop: FakeShop) -> list[Conversation]:
    chats = [start_conversation(alice.pk) for _ in QUESTIONS]
    for chat, text in zip(chats, QUESTIONS, strict=True):
        add_customer_message(chat.pk, text=text, client_id="c1")
    return chats


@pytest.fixture
def draft(workspace: Workspace) -> Release:
    live_release()
    document = Document(instructions="Never speak of labels.")
    made: Release = Release.objects.create(number=next_number(), document=stored(document))
    return made


def address(release: Release) -> str:
    return f"/admin/releases/release/{release.pk}/replay/"


def begin(client: Client, release: Release, **more: Any) -> Replay:
    told = {"do": "begin", "days": "7", "most": "100", **more}
    assert client.post(address(release), told).status_code == 302
    found: Replay = Replay.objects.get(release_id=release.pk)
    return found


def world() -> tuple[int, ...]:
    return tuple(model._base_manager.count() for model in (Conversation, Message, Ticket, ActionRequest, Announcement))


@pytest.mark.long
def test_differences_are_ranked_and_nothing_else_happens(
    enter: Enter, asked: list[Conversation], draft: Release, shop: FakeShop
) -> None:
    supervisor, before = enter("supervisor"), world()
    link = f'href="{address(draft)}"'
    assert link in supervisor.get(f"/admin/releases/release/{draft.pk}/change/").content.decode()
    assert link not in enter("editor").get(f"/admin/releases/release/{draft.pk}/change/").content.decode()
    replay = begin(supervisor, draft)
    waiting = supervisor.get(address(draft))
    assert waiting["Refresh"] and b"Start replay" not in waiting.content
    assert b"Waiting to start" in waiting.content and b"<progress" not in waiting.content
    assert [pk for _, pk in replay_worker.due_replays()] == [replay.pk]
    with answering(Obedient()):
        tasks.replay(str(replay.workspace_id), str(replay.pk))
    shown = LexborHTMLParser((page := supervisor.get(address(draft))).content.decode())
    assert "Refresh" not in page.headers and not shown.css("progress")
    assert "2 of 5 questions get a different answer from release 2 than from release 1." in visible_text(
        shown.body, " "
    )
    rows = shown.css("ol.log > li")
    assert {row.css_first("h2").text() for row in rows} == {"Is the label free?", "Who pays for the label?"}
    for row in rows:
        assert "No longer answered" in row.css_first(".by").text()
        old, new = row.css(".ba section")
        assert old.css_first("h3").text() == "Release 1" and "free within Germany" in old.text()
        assert new.css_first("h3").text() == "Release 2" and "could not find" in new.text()
        assert "Passages found" in old.text() and "Returns" in old.text() and "Checks" in old.text()
    same = LexborHTMLParser(supervisor.get(f"{address(draft)}?show=same").content.decode())
    assert len(same.css("ol.log > li")) == 3
    assert world() == before and shop.refunds == []


@pytest.mark.long
def test_a_replay_continues_after_a_kill_and_after_a_cancellation(
    enter: Enter, asked: list[Conversation], draft: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor, store, steps = enter("supervisor"), replay_worker._store, iter(["stored", "killed", "cancelled"])
    monkeypatch.setattr(replay_worker, "AT_ONCE", 1)
    replay = begin(supervisor, draft)

    def step(*given: Any) -> bool:
        match next(steps, "stored"):
            case "killed":
                raise Killed
            case "cancelled":
                supervisor.post(address(draft), {"do": "cancel"})
        return store(*given)

    monkeypatch.setattr(replay_worker, "_store", step)
    with answering(Obedient()):
        with pytest.raises(Killed):
            replay_worker.run_replay(replay.pk)
        assert replay_worker.due_replays() == []
        replay_worker.run_replay(replay.pk)  # the dead worker's lease still holds
        assert ReplayedQuestion.objects.exclude(kinds=None).count() == 1
        Replay.objects.update(lease_until=now() - timedelta(seconds=1))
        replay_worker.run_replay(replay.pk)
        replay.refresh_from_db()
        assert (replay.state, ReplayedQuestion.objects.exclude(kinds=None).count()) == ("cancelled", 1)
        assert b"1 of 5 questions" in supervisor.get(address(draft)).content
        supervisor.post(address(draft), {"do": "continue"})
        replay_worker.run_replay(replay.pk)
    replay.refresh_from_db()
    assert (replay.state, replay.attempt) == ("done", 3)
    found = ReplayedQuestion.objects.order_by("position")
    assert [row.question for row in found] == list(reversed(QUESTIONS)) and not found.filter(kinds=None).exists()
    assert {row.question for row in found if row.kinds} == {"Is the label free?", "Who pays for the label?"}


@pytest.mark.long
def test_a_replay_waits_for_a_model_that_is_down(enter: Enter, asked: list[Conversation], draft: Release) -> None:
    supervisor = enter("supervisor")
    replay = begin(supervisor, draft, most="1")
    with answering(away := ScriptedModel(*[Says(fails=ProviderRefused(Reason.UNREACHABLE))] * 9)):
        replay_worker.run_replay(replay.pk)
        away._steps.clear()
    replay.refresh_from_db()
    assert (replay.state, replay.problem) == ("paused", "model_unavailable")
    assert b"The model is not responding." in supervisor.get(address(draft)).content
    supervisor.post(address(draft), {"do": "continue"})
    with answering(Obedient()):
        replay_worker.run_replay(replay.pk)
    replay.refresh_from_db()
    assert replay.state == "done" and ReplayedQuestion.objects.count() == 1


def test_a_changed_draft_ends_its_replay(enter: Enter, asked: list[Conversation], draft: Release) -> None:
    supervisor = enter("supervisor")
    replay = begin(supervisor, draft)
    Release.objects.filter(pk=draft.pk).update(document=stored(Document(tone="warm")))
    replay_worker.run_replay(replay.pk)
    replay.refresh_from_db()
    assert (replay.state, replay.problem) == ("cancelled", "release_changed")
    page = supervisor.get(address(draft)).content
    assert b"Continue" not in page and b"Replay again" in page
    supervisor.post(address(draft), {"do": "continue"})
    replay.refresh_from_db()
    assert replay.state == "cancelled"
    supervisor.post(address(draft), {"do": "begin", "days": "7", "most": "5"})
    assert Replay.objects.count() == 2


def test_another_build_does_not_continue_a_replay(
    enter: Enter, asked: list[Conversation], draft: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = enter("supervisor")
    replay = begin(supervisor, draft)
    replay_worker.cancel(replay.pk)
    newer = build_fingerprint.Build("newer", now())
    monkeypatch.setattr(build_fingerprint, "build", lambda: newer)
    supervisor.post(address(draft), {"do": "continue"})
    replay_worker.run_replay(replay.pk)
    replay.refresh_from_db()
    assert (replay.state, replay.problem) == ("cancelled", "product_changed")
    page = supervisor.get(address(draft)).content.decode()
    assert "The product was updated in the meantime. Start again." in page and 'value="continue"' not in page
    again = replay_worker.begin(draft, days=7, most=5)
    monkeypatch.undo()
    assert replay_worker.due_replays() == []  # the old build's worker leaves it to a worker of the new one
    replay_worker.run_replay(again.pk)
    again.refresh_from_db()
    assert (again.state, again.product) == ("waiting", "newer") and not ReplayedQuestion.objects.exists()


@pytest.mark.long
def test_a_question_of_several_customers_says_how_often_it_was_asked(
    enter: Enter, asked: list[Conversation], draft: Release, alice: Customer
) -> None:
    carol = Customer.objects.create(external_id="cus_2")
    for who in (carol, carol, alice):
        add_customer_message(start_conversation(who.pk).pk, text="Is the label free?", client_id="c1")
    add_customer_message(start_conversation(carol.pk).pk, text="Who pays for the label?", client_id="c1")
    supervisor = enter("supervisor")
    replay = begin(supervisor, draft)
    with answering(Obedient()):
        replay_worker.run_replay(replay.pk)
    shown = LexborHTMLParser(supervisor.get(address(draft)).content.decode())
    rows = [(row.css_first("h2").text(), visible_text(row.css_first(".by"), " ")) for row in shown.css("ol.log > li")]
    assert [question for question, _ in rows] == ["Is the label free?", "Who pays for the label?"]
    assert "asked 4 times" in rows[0][1] and "asked 2 times" in rows[1][1]


def test_only_people_who_may_evaluate_can_start_a_replay(
    enter: Enter, asked: list[Conversation], draft: Release
) -> None:
    told = {"do": "begin", "days": "7", "most": "5"}
    for role in ("editor", "agent"):
        client = enter(role)
        assert client.get(address(draft)).status_code == 403
        assert client.post(address(draft), told).status_code == 403
    supervisor = enter("supervisor")
    for wrong in ({"days": "0"}, {"days": "61"}, {"most": "1001"}, {"most": "many"}):
        refused = supervisor.post(address(draft), {**told, **wrong}, follow=True).content.decode()
        assert "Choose 1 to 60 days" in refused
    with pytest.raises(ReplayInvalid):
        replay_worker.begin(live_release(), days=7, most=5)
    assert not Replay.objects.exists()
    for _ in range(2):  # pressed twice, but only one replay
        supervisor.post(address(draft), told)
    assert Replay.objects.count() == 1


def test_an_erased_customers_words_are_removed_from_a_replay(
    asked: list[Conversation], draft: Release, alice: Customer, workspace: Workspace
) -> None:
    replay = replay_worker.begin(draft, days=7, most=100)
    with answering(Obedient()):
        replay_worker.run_replay(replay.pk)
    facts = {"workspace_id": workspace.pk}
    outbox_consumers.on_conversations_erased(
        [Announcement(topic="conversation_erased", object_id=asked[0].pk, **facts)]
    )
    assert not ReplayedQuestion.objects.filter(question=QUESTIONS[0]).exists() and ReplayedQuestion.objects.count() == 4
    outbox_consumers.on_customer_forgotten(Announcement(topic="customer_forgotten", object_id=alice.pk, **facts))
    assert not ReplayedQuestion.objects.exists() and Replay.objects.exists()
    Replay.objects.update(created_at=now() - timedelta(days=8))
    tasks.purge()
    assert not Replay.objects.exists()


@pytest.mark.long
def test_a_conversation_erased_while_questions_are_chosen_leaves_none(
    asked: list[Conversation], draft: Release, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose = replay_worker.real_questions

    def erased_meanwhile(days: int, most: int) -> Any:
        found = choose(days, most)
        Conversation.objects.get(pk=asked[0].pk).delete()
        gone = Announcement(topic="conversation_erased", object_id=asked[0].pk, workspace_id=workspace.pk)
        outbox_consumers.on_conversations_erased([gone])
        return found

    monkeypatch.setattr(replay_worker, "real_questions", erased_meanwhile)
    replay = replay_worker.begin(draft, days=7, most=100)
    with answering(Obedient()):
        replay_worker.run_replay(replay.pk)
    replay.refresh_from_db()
    assert replay.state == "done" and ReplayedQuestion.objects.count() == len(QUESTIONS) - 1
    assert not ReplayedQuestion.objects.filter(question=QUESTIONS[0]).exists()
