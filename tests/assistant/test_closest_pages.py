"""The help pages that an abstention offers: which ones, to whom, and that the answer remains an abstention."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from typing import Any

import pytest
from django.conf import settings
from django.db import connection

from kb.access import Viewer
from kb.indexing.sync import sync_articles
from kb.models import Article, Audience
from kb.search import Passage, search
from kb.services import Change, create_article, publish
from kb.translations import translate
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.closest_pages import closest_pages, may_offer_pages, with_pages
from supportbot.assistant.runner import carry_out
from supportbot.assistant.turn_search import ON_TOPIC_FROM
from supportbot.async_db import db
from supportbot.builtin.phrases import Phrase, is_offer_of_a_person
from supportbot.builtin.phrases import say as phrase
from supportbot.chat.answers import Answer
from supportbot.chat.models import Citation, Conversation, Message
from supportbot.chat.signals import EventView
from supportbot.chat.transcript import written
from supportbot.handoff.desk.conversation_lines import Reader, line_of
from supportbot.language.sentences import marked_sources
from supportbot.llm.testing import Says, ScriptedModel, answering
from supportbot.llm.types import ModelRequest
from supportbot.translation import LANGUAGES
from tests.assistant.conftest import payloads, say

pytestmark = pytest.mark.django_db(transaction=True)
Log = Callable[[], list[EventView]]
NEAR = "Can my neighbour return unused items after delivery?"
FAR = "Who won the chess championship?"
LINK = f"- [Returns]({settings.BASE_URL}/help/wrenfell/returns/)"
UNKNOWN = Answer(phrase("not_found", "en"), (), by="builtin", is_abstention=True, offers_human=True)


def made(external_id: str, title: str, *, source: Article | None = None, **facts: str) -> Article:
    article = create_article(
        Change(title=title, body="You can return unused items.", **{"locale": "en", **facts}), external_id=external_id
    )
    publish(article.pk)
    translate(article, source)
    sync_articles([article.pk])
    return article


def found(viewer: Viewer) -> tuple[Passage, ...]:
    return search("Can I return unused items?", viewer=viewer).passages


def offered(viewer: Viewer) -> list[str]:
    return [page.external_id for page in closest_pages(found(viewer), viewer)]


async def answered(conversation: Conversation, text: str, log: Log) -> dict[str, Any]:
    await carry_out(await db(say, conversation, text))
    return payloads(await db(log), "assistant.final")[-1]


@pytest.fixture
def nothing_holds_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Search finds pages, but no part of them seems to contain the answer."""
    monkeypatch.setattr("supportbot.assistant.answerability.holds_answer", lambda similarities, found: False)


@pytest.mark.usefixtures("nothing_holds_the_answer")
async def test_an_abstention_offers_the_closest_page_before_a_person(conversation: Conversation, log: Log) -> None:
    final = await answered(conversation, NEAR, log)
    lead, links, offer = final["text"].split("\n\n")
    assert (links, is_offer_of_a_person(offer)) == (LINK, True)
    assert "could not find this" in lead and "may not answer" in lead
    assert (final["abstained"], final["offers_human"], final["citations"]) == (True, True, [])
    [page] = final["pages"]
    assert (page["external_id"], page["title"]) == ("returns", "Returns")

    def stored() -> tuple[bool, bool]:
        with workspace_scope(conversation.workspace_id):
            return Message.objects.get(source="assistant").is_abstention, Citation.objects.exists()

    assert await db(stored) == (True, False)


@pytest.mark.usefixtures("nothing_holds_the_answer")
async def test_the_team_and_the_transcript_see_the_links(conversation: Conversation, log: Log) -> None:
    await answered(conversation, NEAR, log)
    [event] = [event for event in await db(log) if event.event == "assistant.final"]
    line = line_of(event, Reader("1", "Bob", "Alice", "A", 0, 0), {})
    assert line is not None
    assert f'href="{settings.BASE_URL}/help/wrenfell/returns/"' in line.html
    assert LINK in "\n".join(written([event], "en", UTC))


@pytest.mark.long
@pytest.mark.usefixtures("nothing_holds_the_answer")
async def test_a_yes_after_an_abstention_calls_a_person(conversation: Conversation, log: Log) -> None:
    await answered(conversation, NEAR, log)
    await answered(conversation, "yes please", log)
    assert [event.event for event in await db(log)].count("handoff.requested") == 1


@pytest.mark.parametrize("text", [FAR, "hello there", "thank you!"])
async def test_nothing_is_offered_for_another_subject_or_small_talk(
    conversation: Conversation, log: Log, text: str
) -> None:
    final = await answered(conversation, text, log)
    assert "pages" not in final
    assert "](" not in final["text"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "said",
    [
        "I could not find this in our help pages. Would you like to talk to a person?",
        "You can return it within 17 days. [1]",
    ],
    ids=["the model found nothing", "the checks withheld it"],
)
@pytest.mark.usefixtures("nothing_holds_the_answer")
async def test_a_models_abstention_offers_the_pages_too(conversation: Conversation, log: Log, said: str) -> None:
    with answering(ScriptedModel(Says(said))):
        final = await answered(conversation, NEAR, log)
    assert (final["abstained"], final["citations"]) == (True, [])
    assert LINK in final["text"]
    assert [page["external_id"] for page in final["pages"]] == ["returns"]


def test_an_article_and_its_translations_are_one_page_in_the_customers_language(workspace: Workspace) -> None:
    english = made("returns", "Returns")
    made("returns-de", "Rückgabe", locale="de-AT", source=english)
    assert offered(Viewer(locale="en")) == ["returns"]
    assert offered(Viewer(locale="de")) == ["returns-de"]
    assert offered(Viewer(locale="fr")) in (["returns"], ["returns-de"])


def test_only_pages_that_the_customer_may_read_now_are_offered(workspace: Workspace) -> None:
    made("inside", "For the team", audience="internal")
    english = made("members", "For members", audience="signed_in", url="https://shop.example/members")
    made("members-de", "Intern", audience="internal", locale="de", source=english)
    made("public", "For all")
    assert offered(Viewer(locale="de")) == ["public"]
    assert set(offered(Viewer(Audience.SIGNED_IN, "de"))) == {"members", "public"}
    passages = found(Viewer())
    Article.objects.update(audience="internal")
    assert closest_pages(passages, Viewer()) == ()


@pytest.mark.long
def test_a_page_without_an_address_is_left_out_and_at_most_three_are_offered(workspace: Workspace) -> None:
    for name in "abcd":
        made(name, name)
    made("hidden", "Hidden", audience="signed_in")
    made("script", "Script")
    Article.objects.filter(external_id="script").update(url="javascript:alert(1)")
    seen = offered(Viewer(Audience.SIGNED_IN))
    assert len(seen) == 3
    assert set(seen) < set("abcd")


def test_a_title_or_address_cannot_break_its_link(workspace: Workspace) -> None:
    made("odd", "Sizes [EU]\n(old)", url="https://shop.example/sizes_(old)")
    answer = with_pages(UNKNOWN, closest_pages(found(Viewer()), Viewer()), "en")
    assert "- [Sizes (EU) (old)](https://shop.example/sizes_%28old%29)" in answer.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_an_answer_that_found_nothing_offers_pages(language: str) -> None:
    def builtin(*names: Phrase, is_abstention: bool = True) -> Answer:
        text = " ".join(phrase(name, language, part="items") for name in names)
        return Answer(text, (), by="builtin", is_abstention=is_abstention, offers_human=True)

    asked = ModelRequest("answer", (), question=NEAR)
    assert may_offer_pages(builtin("not_found"), asked, ON_TOPIC_FROM)
    assert not may_offer_pages(builtin("not_found"), asked, ON_TOPIC_FROM - 0.01)
    assert not may_offer_pages(builtin("no_person"), asked, 1.0)
    assert not may_offer_pages(builtin("cannot_take", "offer"), asked, 1.0)
    assert not may_offer_pages(builtin("greeting", is_abstention=False), asked, 1.0)
    wanted = replace(asked, question="I want to talk to a person")
    assert not may_offer_pages(builtin("not_found"), wanted, 1.0)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("I want to talk to a person about returning unused items", "I cannot connect you to anybody right now."),
        ("I want to talk to a person about returning unused items", "You can return it within 17 days. [1]"),
        ("Please cancel my return of unused items", "I have not cancelled the return; shall I hand you over?"),
    ],
    ids=["a person in vain", "a person, and the checks withheld the answer", "an action that was refused"],
)
async def test_a_model_that_was_asked_for_something_else_offers_none(
    conversation: Conversation, log: Log, asked: str, said: str
) -> None:
    # An answer that the checks withhold is tried once more.
    with answering(model := ScriptedModel(*[Says(said)] * (2 if "[1]" in said else 1))):
        final = await answered(conversation, asked, log)
        model._steps.clear()
    assert "pages" not in final
    assert "](" not in final["text"]


def test_the_offer_of_a_person_closes_the_text_whatever_words_offered_it(workspace: Workspace) -> None:
    made("public", "For all")
    own = replace(UNKNOWN, text="I could not find this. Shall I look elsewhere?", by="model", offers_human=False)
    shown = with_pages(own, closest_pages(found(Viewer()), Viewer()), "en")
    assert (is_offer_of_a_person(shown.text), shown.offers_human) == (True, True)


def test_an_article_that_is_hidden_between_the_queries_is_left_out(workspace: Workspace) -> None:
    made("public", "For all")
    passages = found(Viewer())

    def hide(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        if "translation_of_id" in sql and not hidden:
            hidden.append(True)
            Article.objects.update(audience="internal")
        return result

    hidden = list[bool]()
    with connection.execute_wrapper(hide):
        assert closest_pages(passages, Viewer()) == ()
    assert hidden


def test_a_version_without_an_address_does_not_hide_one_with_an_address(workspace: Workspace) -> None:
    english = made("members", "For members", audience="signed_in", url="https://shop.example/members")
    made("members-de", "Für Mitglieder", audience="signed_in", locale="de", source=english)
    assert offered(Viewer(Audience.SIGNED_IN, "de")) == ["members"]


@pytest.mark.parametrize("title", ["10", "1, 2"])
def test_a_title_is_not_read_as_the_number_of_a_source(workspace: Workspace, title: str) -> None:
    made("short", title)
    answer = with_pages(UNKNOWN, closest_pages(found(Viewer()), Viewer()), "en")
    assert marked_sources(answer.text) == []
    assert [page.title for page in answer.pages] == [title]
