"""The language of the help pages, and the limit on searches."""

import re

import pytest
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as CacheAway
from selectolax.lexbor import LexborHTMLParser

from kb.article_urls import article_address
from kb.help_centre.search_page import HelpSearchThrottle
from kb.models import Article
from kb.testing import HashEmbedder
from supportbot.accounts.models import Workspace
from tests.kb.test_pages import page, published, words

pytestmark = pytest.mark.django_db
GERMAN_BROWSER = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}


@pytest.fixture(autouse=True)
def no_searches_counted() -> None:
    cache.clear()


@pytest.fixture
def articles(workspace: Workspace) -> list[Article]:
    return [
        published("Delivery", locale="en", category="Orders"),
        published("Lieferung", "## Kosten\n\nDer Versand kostet 4,90 Euro.", locale="de", category="Bestellung"),
        published("Zustellung in Wien", "## Wien\n\nZwei Werktage.", locale="de-at", category="Bestellung"),
    ]


def titles(tree: LexborHTMLParser) -> list[str]:
    return [link.text() for link in tree.css(":is(.shelf li a, .only li a span)")]


def read(client: Client, address: str, **headers: str) -> LexborHTMLParser:
    answer = client.get(address, headers=headers)
    assert answer.status_code == 200
    return LexborHTMLParser(answer.content.decode())


def speaks(tree: LexborHTMLParser) -> str | None:
    return tree.css_first("html").attributes["lang"]


def test_the_list_follows_the_browser_unless_a_language_is_chosen(client: Client, articles: list[Article]) -> None:
    german = read(client, "/help/wrenfell/", **GERMAN_BROWSER)
    assert (speaks(german), titles(german)) == ("de", ["Lieferung", "Zustellung in Wien"])
    assert german.css_first("h1").text() == "Wie können wir helfen?"
    english = read(client, "/help/wrenfell/?lang=en", **GERMAN_BROWSER)
    assert (speaks(english), titles(english)) == ("en", ["Delivery"])
    assert english.css_first("h1").text() == "How can we help?"


def test_the_menu_lists_the_available_languages(client: Client, articles: list[Article]) -> None:
    links = page(client, "/help/wrenfell/").css(".langs a")
    assert [(link.text(), link.attributes["href"]) for link in links] == [
        ("Deutsch", "/help/wrenfell/?lang=de"),
        ("English", "/help/wrenfell/?lang=en"),
    ]
    assert [link.attributes.get("aria-current") for link in links] == [None, "true"]


def test_a_single_language_needs_no_menu(client: Client, workspace: Workspace) -> None:
    published("Livraison", locale="fr")
    tree = read(client, "/help/wrenfell/?lang=de", **GERMAN_BROWSER)
    assert (titles(tree), tree.css(".langs")) == (["Livraison"], [])
    assert (speaks(tree), tree.css_first(".shelves").attributes["lang"]) == ("fr", "fr")


@pytest.mark.parametrize("wish", ["xx", "", "../..", "<script>", "de" * 500, "\0"])
def test_an_unavailable_language_is_ignored(client: Client, articles: list[Article], wish: str) -> None:
    answer = client.get("/help/wrenfell/", {"lang": wish})
    assert titles(LexborHTMLParser(answer.content.decode())) == ["Delivery"]
    assert answer.headers["Content-Language"] == "en"


def test_an_articles_page_is_in_the_articles_language(client: Client, articles: list[Article]) -> None:
    tree = read(client, article_address(articles[1]))
    assert speaks(tree) == "de"
    assert "Auf dieser Seite" in words(tree)
    assert re.search(r"Aktualisiert am \d+\. \w+ \d{4}", words(tree))
    assert tree.css_first(".crumb a").attributes["href"] == "/help/wrenfell/?lang=de"


def test_the_readers_language_is_found_first_and_others_are_marked(client: Client, workspace: Workspace) -> None:
    published("Delivery", "## Express\n\nExpress costs 9 euros.", locale="en")
    published("Lieferung", "## Express\n\nExpress costs 9 euros.", locale="de")
    for language, first, other in (("en", "Delivery", "Deutsch"), ("de", "Lieferung", "English")):
        hits = page(client, f"/help/wrenfell/?q=express&lang={language}").css(".hit")
        assert hits[0].css_first("b").text() == first
        assert [[tag.text() for tag in hit.css(".tag")] for hit in hits] == [[], [other]]


def test_headings_continue_the_levels_of_the_page_without_gaps(client: Client, workspace: Workspace) -> None:
    row = published("Deep", "### One\n\na\n\n##### Two\n\nb\n\n### Three\n\nc")
    headings = page(client, article_address(row)).css(":is(h1, .body :is(h2, h3, h4, h5, h6))")
    assert [found.tag for found in headings] == ["h1", "h2", "h3", "h2"]


def test_searches_per_address_are_limited_and_the_query_is_kept(
    client: Client, articles: list[Article], embedder: HashEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HelpSearchThrottle, "rate", "2/min")
    asked: list[str] = []
    monkeypatch.setattr(embedder, "query", lambda text: [asked.append(text), *HashEmbedder().query(text)][1:])
    for _ in range(2):
        page(client, "/help/wrenfell/?q=delivery&lang=en")
    tree = page(client, "/help/wrenfell/?q=delivery&lang=en", status=429)
    assert "Please try again in" in words(tree)
    assert tree.css_first("input[name=q]").attributes["value"] == "delivery"
    assert asked == ["delivery", "delivery"]
    assert titles(page(client, "/help/wrenfell/")) == ["Delivery"]
    elsewhere = client.get("/help/wrenfell/?q=delivery", REMOTE_ADDR="10.0.0.9")
    assert elsewhere.status_code == 200


def test_an_unavailable_cache_blocks_nobody(
    client: Client, articles: list[Article], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise CacheAway("no cache")

    monkeypatch.setattr(cache, "get", away)
    assert page(client, "/help/wrenfell/?q=delivery").css(".hit")


def test_a_page_in_arabic_is_mirrored_with_its_own_texts_and_dates(client: Client, workspace: Workspace) -> None:
    tree = read(client, article_address(published("التوصيل", locale="ar")))
    assert (speaks(tree), tree.css_first("html").attributes["dir"]) == ("ar", "rtl")
    assert re.search(r"آخر تحديث: \d+ \w+ \d{4}", words(tree))


def test_a_page_in_polish_uses_its_plural_forms(client: Client, workspace: Workspace) -> None:
    long = published("Dostawa", "## Koszty\n\n" + "Dostawa kosztuje. " * 550, locale="pl")
    assert "5 minut czytania" in words(read(client, article_address(long)))
