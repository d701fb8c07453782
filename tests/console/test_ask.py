"""Questions asked as a customer, with the search and the answerer of the chat, on the live text and on a draft."""

from typing import Any

import pytest
from django.db import connection
from django.template.loader import render_to_string
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.indexing.models import Chunk
from kb.indexing.sync import sync_article
from kb.models import Article, Collection, Revision
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from supportbot.chat.answers import Answer
from supportbot.evals.articles.answer_preview import AnswerPreview
from supportbot.outbox.models import Announcement
from tests.console.conftest import Enter

pytestmark = pytest.mark.django_db(transaction=True)
ASK = "/admin/ask/"
QUESTION = "How is wool washed?"
LIVE = "Wool is washed by hand.\n"
WRITTEN = "Wool is washed in the machine with the wool programme.\n"


@pytest.fixture
def wool(workspace: Workspace) -> Article:
    article = publish(create_article(Change(title="Washing wool", body=LIVE), external_id="wool").pk)
    sync_article(article.pk)
    return article


@pytest.fixture
def editor(enter: Enter) -> Client:
    return enter("editor")


def ask(client: Client, **data: str) -> LexborHTMLParser:
    answer = client.post(ASK, {"question": QUESTION, **data}, headers={"X-Fragment": "1"})
    assert answer.status_code == 200, answer.content
    return LexborHTMLParser(answer.content.decode())


def stored() -> list[Any]:
    counts = [model._base_manager.count() for model in (Article, Revision, Collection, Announcement)]
    return [*counts, list(Chunk._base_manager.order_by("pk").values_list("pk", "text", "content_hash"))]


def test_live_articles_answer_with_their_ranks_in_both_searches(editor: Client, wool: Article) -> None:
    tree = ask(editor)
    (answer,) = tree.css(".ba section")
    assert "by hand" in answer.css_first(".said").text()
    assert answer.css_first(".cites a").text() == "Washing wool"
    (row,) = tree.css(".pass tbody tr")
    cells = [cell.text(strip=True) for cell in row.css("td.sc")]
    # A rank and a score for each stage: by words, by meaning, and final.
    assert [cell.partition(".")[0] for cell in cells] == ["1", "1", "1"]
    assert all(float(cell.partition(".")[2]) > 0 for cell in cells), cells


def test_two_questions_are_answered_as_in_the_chat(editor: Client, wool: Article) -> None:
    boots = publish(create_article(Change(title="Waxing boots", body="Boots are waxed with a cloth.\n")).pk)
    sync_article(boots.pk)
    said = ask(editor, question="How is wool washed? How are boots waxed?").css_first(".ba .said").text()
    assert "by hand" in said
    assert "with a cloth" in said


@pytest.mark.long
def test_an_edited_text_is_tried_next_to_the_live_one_without_being_stored(editor: Client, wool: Article) -> None:
    before = stored()
    tree = ask(editor, article=str(wool.pk), title="Washing wool", body=WRITTEN)
    live, written = [one.css_first(".said").text() for one in tree.css(".ba section")]
    assert "by hand" in live
    assert "wool programme" in written
    assert tree.css_first(".pass .tag.accent").text() == "this text"
    assert stored() == before


def test_a_new_article_can_be_tried(editor: Client, workspace: Workspace) -> None:
    before = stored()
    tree = ask(editor, title="Washing wool", body=WRITTEN)
    live, written = tree.css(".ba section")
    assert live.css_first(".tag").text() == "No answer found"
    assert "wool programme" in written.css_first(".said").text()
    assert stored() == before


def test_articles_for_the_team_are_not_used_for_customers(editor: Client, wool: Article) -> None:
    tree = ask(editor, article=str(wool.pk), title="Washing wool", body=WRITTEN, audience="internal")
    assert tree.css(".ba section")[1].css_first(".tag").text() == "No answer found"


def test_a_question_without_an_answer_is_reported(editor: Client, workspace: Workspace) -> None:
    tree = ask(editor)
    assert tree.css_first(".ba .tag").text() == "No answer found"
    assert "yet no sentence" not in tree.css_first(".ba .foot").text()


@pytest.mark.parametrize(("confidence", "shown"), [(0.94, "94%"), (0.9998, "99%")])
def test_passages_without_an_answering_sentence_are_reported_separately(confidence: float, shown: str) -> None:
    answer = Answer("I could not find this.", (), by="builtin", is_abstention=True)
    trial = AnswerPreview(True, answer, (), confidence=confidence, is_answerable=True, took_ms=12)
    told = " ".join(render_to_string("console/articles/asked.html", {"answers": [trial], "last": trial}).split())
    assert f"{shown} sure that its passages contain an answer, but no sentence in them answers the question." in told


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"question": "  "}, "Enter a question first."),
        ({"question": "x" * 4_001}, "The message has 4,001 characters. The limit is 4,000."),
        ({"body": "x\x00y", "title": "T"}, "NUL"),
        ({"body": "words", "title": "T" * 400}, "The title has 400 characters."),
        ({"body": "words", "title": "T", "locale": "klingonish"}, "klingonish"),
    ],
)
def test_an_invalid_text_cannot_be_tried(editor: Client, workspace: Workspace, data: dict[str, str], said: str) -> None:
    answer = editor.post(ASK, {"question": QUESTION, **data})
    assert (answer.status_code, said in answer.content.decode()) == (400, True)


def test_an_article_of_another_workspace_cannot_be_tried(stranger: Client, wool: Article) -> None:
    data = {"question": QUESTION, "article": str(wool.pk), "title": "T", "body": WRITTEN}
    answer = stranger.post(ASK, data)
    assert answer.status_code == 404
    assert "hand" not in answer.content.decode()
    assert not connection.in_atomic_block


def test_questions_per_minute_are_limited(editor: Client, workspace: Workspace, monkeypatch: Any) -> None:
    monkeypatch.setattr("supportbot.console.articles.ask_as_customer.MAX_PER_MINUTE", 1)
    ask(editor)
    answer = editor.post(ASK, {"question": QUESTION})
    assert (answer.status_code, "in a minute" in answer.content.decode()) == (400, True)
