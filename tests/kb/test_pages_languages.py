"""The language of the help pages, and the limit on searches."""

import gettext
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from redis.exceptions import ConnectionError as CacheAway
from selectolax.lexbor import LexborHTMLParser

from kb.addresses import article_address
from kb.models import Article
from kb.testing import HashEmbedder
from kb.views import HelpSearchThrottle
from supportbot.accounts.models import Workspace
from tests.kb.test_pages import page, published, words

pytestmark = pytest.mark.django_db
GERMAN_BROWSER = {"Accept-Language": "de-DE,de;q=0.9,en;q=0.5"}


@pytest.fixture(autouse=True)
def nobody_has_searched() -> None:
    cache.clear()


@pytest.fixture
def articles(workspace: Workspace) -> list[Article]:
    return [
        published("Delivery", locale="en", category="Orders"),
        published("Lieferung", "## Kosten\n\nDer Versand kostet 4,90 Euro.", locale="de", category="Bestellung"),
        published("Zustellung in Wien", "## Wien\n\nZwei Werktage.", locale="de-at", category="Bestellung"),
    ]


def titles(tree: LexborHTMLParser) -> list[str]:
    return [link.text() for link in tree.css(".shelf a")]


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
    assert (speaks(tree), tree.css_first(".shelves").attributes["lang"]) == ("en", "fr")


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
    for language, first in (("en", "Delivery"), ("de", "Lieferung")):
        hits = page(client, f"/help/wrenfell/?q=express&lang={language}").css(".hit")
        assert hits[0].css_first("b").text() == first
        assert [len(hit.css(".tag")) for hit in hits] == [0, 1]


def test_headings_follow_the_pages_own_without_gaps(client: Client, workspace: Workspace) -> None:
    row = published("Deep", "### One\n\na\n\n##### Two\n\nb\n\n### Three\n\nc")
    assert [found.tag for found in page(client, article_address(row)).css("h1, h2, h3, h4, h5, h6")] == [
        "h1", "h2", "h3", "h2",
    ]  # fmt: skip


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


def test_every_text_of_the_pages_has_a_german_translation() -> None:
    """Also fails if the compiled catalogue is outdated."""
    folder = Path(settings.BASE_DIR)
    with (folder / "kb/locale/de/LC_MESSAGES/django.mo").open("rb") as file:
        german = gettext.GNUTranslations(file)
    source = "".join(path.read_text() for path in (folder / "templates/kb").glob("*.html"))
    texts = [text for _, text in re.findall(r"""{% translate (["'])(.*?)\1""", source)]
    assert len(texts) > 15
    assert [text for text in texts if german.gettext(text) == text] == []
    for block in re.findall(r"{% blocktranslate[^%]*%}(.*?){% endblocktranslate %}", source, re.DOTALL):
        forms = [re.sub(r"{{ (\w+) }}", r"%(\1)s", " ".join(form.split())) for form in block.split("{% plural %}")]
        assert german.ngettext(forms[0], forms[-1], 2) != forms[-1] or german.gettext(forms[0]) != forms[0]
    listed = re.findall(r'^msgid "(.+)"$', (folder / "kb/locale/de/LC_MESSAGES/django.po").read_text(), re.MULTILINE)
    catalogue = {key[0] if isinstance(key, tuple) else key for key in german._catalog}  # type: ignore[attr-defined]
    assert set(listed) <= catalogue
