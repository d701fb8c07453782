"""Curated answers come before model and search; synonyms find articles that use other words."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from kb.access import Viewer
from kb.errors import EmbeddingUnavailable
from kb.models import Article, Phrasing, Synonyms
from kb.phrasings import embed_phrasings, phrasings_of, set_phrasings
from kb.search import search
from kb.services import Change, create_article, publish, save_draft
from kb.synonyms import MAX_GROUPS, PATTERNS_KEPT, STATES_KEPT, _stored_groups, _word_pattern, with_synonyms
from kb.tasks import index_article
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.runner import carry_out
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.signals import EventView
from supportbot.llm.testing import ScriptedModel, answering
from tests.assistant.conftest import payloads, say
from tests.console.conftest import logged_in, person
from tests.rest import service

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
TEXT = "Yes. We ship to Norway in **5 days** for 12.90 euros."
ASKED = "Do you ship to Norway?"


def curated(workspace: Workspace, *, text: str = TEXT, **facts: str) -> None:
    with workspace_scope(workspace.pk):
        article = create_article(Change(title="Norway", body=text, locale="en", **facts), external_id="norway")
        set_phrasings(article, [ASKED, "How much is shipping to Norway?"])
        publish(article.pk)
        assert embed_phrasings() == 2
        save_draft(article.pk, Change(body="Not live."))


def is_curated(workspace: Workspace, question: str) -> bool:
    with workspace_scope(workspace.pk):
        return search(question, viewer=Viewer()).curated is not None


async def answered(conversation: Conversation, question: str, log: Log) -> dict[str, Any]:
    claim = await db(say, conversation, question)
    await carry_out(claim)
    return payloads(await db(log), "assistant.final")[-1]


async def answered_without_model(conversation: Conversation, question: str, log: Log) -> dict[str, Any]:
    """Ask while a model is configured, which fails the test if it is called."""
    with answering(ScriptedModel()):
        return await answered(conversation, question, log)


async def test_a_curated_answer_is_given_verbatim_to_its_questions_only(
    workspace: Workspace, conversation: Conversation, log: Log
) -> None:
    await db(curated, workspace)
    final = await answered_without_model(conversation, "do you ship  to norway?", log)
    assert (final["text"], final["by"], final["confirmed"]) == (f"{TEXT} [1]", "builtin", True)
    [cited] = final["citations"]
    assert (cited["external_id"], cited["quote"], cited["end"]) == ("norway", TEXT, len(TEXT))
    final = await answered_without_model(conversation, "To Norway -- do you ship?", log)
    assert final["text"] == f"{TEXT} [1]", "the same question in other words"
    assert not await db(is_curated, workspace, "Do you ship to Sweden?")


async def test_a_picture_of_a_curated_answer_is_described(
    workspace: Workspace, conversation: Conversation, log: Log
) -> None:
    picture = "\n\n![A wrapped box](/help/wrenfell/pictures/1.png)\n\n![](#page=2)\n\n"
    await db(curated, workspace, text=f"Yes, to Norway.{picture}It takes a week.")
    final = await answered_without_model(conversation, ASKED, log)
    assert final["text"] == "Yes, to Norway.\n\nA wrapped box\n\nIt takes a week. [1]"


async def test_a_curated_answer_for_another_audience_is_given_to_nobody_else(
    workspace: Workspace, conversation: Conversation, log: Log
) -> None:
    await db(curated, workspace, audience="internal")
    final = await answered(conversation, ASKED, log)
    assert final["text"] != f"{TEXT} [1]"


@pytest.mark.long
def test_an_editor_names_the_questions_and_a_synonym_finds_the_article(workspace: Workspace) -> None:
    editor, page = logged_in(person(workspace, "editor")), "/admin/kb/article/add/"
    typed = {
        "title": "Washing",
        "body": "Wash a sweater by hand.",
        "do": "publish",
        "phrasings": " How?\n\nHow?\nWhy? ",
    }
    assert editor.post(page, typed | {"phrasings": "x" * 301}).status_code == 400
    assert editor.post(page, typed | {"body": "x" * 2_001}).status_code == 400
    assert editor.post(page, typed).status_code == 302
    with workspace_scope(workspace.pk):
        assert [row.text for row in Phrasing.objects.order_by("pk")] == ["How?", "Why?"]
        assert not search("jumper", viewer=Viewer(), mode="lexical").passages
    program = service(workspace, "kb:read", "kb:write")
    asked: dict[str, Any] = {"title": "Hats", "body": "By hand.", "phrasings": ["How do I wash a hat?", ""]}
    assert program.post("/api/v1/articles", asked, format="json").status_code == 400
    hats = program.post("/api/v1/articles", asked | {"phrasings": asked["phrasings"][:1]}, format="json").json()
    assert hats["phrasings"] == ["How do I wash a hat?"]
    address = f"/api/v1/articles/{hats['id']}"
    assert program.patch(address, {"phrasings": []}, format="json").json()["phrasings"] == []
    assert program.post("/api/v1/synonyms", {"words": ["Jumper", "jumper "]}, format="json").status_code == 400
    made = program.post("/api/v1/synonyms", {"words": ["Jumper", "sweater"]}, format="json")
    assert made.status_code == 201
    found = program.get("/api/v1/search", {"q": "How do I wash my jumper?", "mode": "lexical"}).json()
    assert [one["title"] for one in found["passages"]] == ["Washing"]
    assert program.delete(f"/api/v1/synonyms/{made.json()['id']}").status_code == 204
    assert program.delete(f"/api/v1/synonyms/{made.json()['id']}").status_code == 404


class RefusingEmbedder(HashEmbedder):
    """An embedding model that refuses some texts, or all."""

    refused = ""

    def query(self, text: str) -> list[float]:
        if self.refused in text:
            raise EmbeddingUnavailable
        return super().query(text)


@pytest.mark.long
def test_questions_are_stored_while_the_model_is_unavailable_and_a_worker_adds_the_vectors(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = RefusingEmbedder()
    monkeypatch.setattr("kb.indexing.recipes.embedder", lambda: model)
    editor, named = logged_in(person(workspace, "editor")), ["Wash a hat?", "Wash a sock?", "Dry a hat?"]
    typed = {"title": "Washing", "body": "By hand.", "do": "publish", "phrasings": "\n".join(named)}
    saved = editor.post("/admin/kb/article/add/", typed)
    assert saved.status_code == 302, "the editor does not wait for the model"
    assert "exactly these words" in editor.get(saved["Location"]).content.decode()
    with workspace_scope(workspace.pk):
        article = Article.objects.get()
        assert phrasings_of(article) == named and embed_phrasings() == 0
        assert search("wash a hat?", viewer=Viewer()).curated, "the same words need no vector"
        assert not search("a hat: wash?", viewer=Viewer()).curated
        model.refused = "sock"
        assert embed_phrasings() == 2, "a text that the model refuses delays no other"
        assert search("a hat: wash?", viewer=Viewer()).curated
        model.refused = "nothing"
    index_article(str(workspace.pk), str(article.pk))
    followed = editor.get(f"/admin/kb/article/{article.pk}/searchable/").json()
    assert (followed["phrasings"], followed["is_searchable"]) == (0, True)
    assert "exactly these words" not in editor.get(saved["Location"]).content.decode()


def test_whole_words_and_phrases_are_replaced() -> None:
    groups = json.dumps([("jumper", "sweater", "pull-over"), ("gift card", "voucher"), ("İstanbul", r"c\1")])
    assert with_synonyms("A Jumper for my gift card", groups) == [
        "A sweater for my gift card",
        "A pull-over for my gift card",
        "A Jumper for my voucher",
    ]
    assert with_synonyms("jumpers and gift cards", groups) == [] == with_synonyms("jumper", "")
    assert with_synonyms("to istanbul", groups) == [r"to c\1"], "letters that regular expressions treat as the same"


def test_synonyms_are_read_once_per_change_and_the_cache_is_bounded() -> None:
    _stored_groups.cache_clear(), _word_pattern.cache_clear()
    many = [[f"word{number}x{at}" for at in range(10)] for number in range(500)]
    stored = json.dumps(many)
    for _ in range(3):
        assert with_synonyms("Is word7x3 here?", stored)[0] == "Is word7x0 here?"
    assert (_stored_groups.cache_info().misses, _word_pattern.cache_info().misses) == (1, 1), (
        "one state, and one word of 5,000"
    )
    many[7][0] = "another"
    assert with_synonyms("Is word7x3 here?", json.dumps(many))[0] == "Is another here?"
    for number in range(2 * PATTERNS_KEPT):
        with_synonyms(f"w{number}", json.dumps([[f"w{number}", "x"]]))
    assert _stored_groups.cache_info().currsize == STATES_KEPT
    assert _word_pattern.cache_info().currsize == PATTERNS_KEPT


def test_console_and_rest_refuse_the_same_groups(workspace: Workspace) -> None:
    editor, address = logged_in(person(workspace, "editor")), "/admin/kb/synonyms/add/"
    program = service(workspace, "kb:read", "kb:write")
    with workspace_scope(workspace.pk):
        Synonyms.objects.bulk_create(Synonyms(words=[f"a{number}", "b"]) for number in range(MAX_GROUPS - 1))

    def stored() -> int:
        with workspace_scope(workspace.pk):
            return Synonyms.objects.count()

    for words in (["one"], ["x" * 81, "y"], [str(number) for number in range(11)]):
        assert editor.post(address, {"words": "\n".join(words)}).status_code == 200
        assert program.post("/api/v1/synonyms", {"words": words}, format="json").status_code == 400
    assert stored() == MAX_GROUPS - 1
    assert editor.post(address, {"words": "Jumper\n sweater \njumper"}).status_code == 302
    assert "There are 500 groups already" in editor.post(address, {"words": "one\ntwo"}).content.decode()
    assert program.post("/api/v1/synonyms", {"words": ["one", "two"]}, format="json").status_code == 400
    assert stored() == MAX_GROUPS
    with workspace_scope(workspace.pk):
        last = Synonyms.objects.order_by("-pk").first()
    assert last is not None and last.words == ["Jumper", "sweater"]
    changed = editor.post(f"/admin/kb/synonyms/{last.pk}/change/", {"words": "cap\nhat"})
    assert changed.status_code == 302, "a full list can still be changed"
