"""The help centre in a reader's browser."""

import re
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.article_urls import article_address, passage_address
from kb.importing.importer import import_documents
from kb.importing.parsed_document import Document
from kb.models import Article
from kb.search import Retrieval, search
from kb.services import Change, archive, create_article, publish, save_draft
from kb.tasks import sweep
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace

pytestmark = pytest.mark.django_db

BODY = "## What you pay\n\nDelivery costs 4.90 euros. It is free above 80 euros.\n\n## Times\n\nTwo working days."


def published(title: str = "Delivery", body: str = BODY, external_id: str = "", **facts: str) -> Article:
    row = create_article(Change(title=title, body=body, **facts), external_id=external_id)
    return publish(row.pk)


def page(client: Client, address: str, status: int = 200) -> LexborHTMLParser:
    answer = client.get(address)
    assert answer.status_code == status
    html = answer.content.decode()
    tree = LexborHTMLParser(html)
    assert tree.css("script:not([src]), style, [style], [onclick], [onload]") == []
    assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"]
    assert len(tree.css("main")) == len(tree.css("h1")) == 1
    return tree


def words(tree: LexborHTMLParser) -> str:
    return re.sub(r"\s+", " ", tree.body.text() if tree.body else "")


def test_the_list_shows_public_articles(client: Client, workspace: Workspace) -> None:
    published()
    published("For members", audience="signed_in")
    published("For the team", audience="internal")
    archive(published("Gone").pk)
    create_article(Change(title="Unfinished", body="x"))
    tree = page(client, "/help/wrenfell/")
    assert [link.text() for link in tree.css(".only li a span")] == ["Delivery"]


def test_an_article_is_readable_at_its_address(client: Client, workspace: Workspace) -> None:
    address = article_address(published(external_id="delivery/costs and (more).md"))
    tree = page(client, address)
    assert "Delivery costs 4.90 euros." in words(tree)
    assert [link.attributes["href"] for link in tree.css(".toc a")] == ["#what-you-pay", "#times"]
    assert tree.css("mark") == []


@pytest.mark.parametrize(
    "external_id", ["..", "a/../b", "a//b", "a%2fb", "back\\slash", "a/", "Fragen? Ja!", "x#y", "ü"]
)
def test_articles_with_ids_that_are_unsafe_in_paths_have_working_addresses(
    client: Client, workspace: Workspace, external_id: str
) -> None:
    address = article_address(published(external_id=external_id))
    assert urlsplit(address).path == address
    assert "Delivery" in words(page(client, address))


def test_an_articles_own_address_has_precedence(workspace: Workspace) -> None:
    row = published(url="https://shop.example/delivery")
    assert article_address(row) == "https://shop.example/delivery"
    assert passage_address(article_address(row), 1, 0, 5) == "https://shop.example/delivery"


@pytest.mark.parametrize("audience", ["signed_in", "internal"])
def test_a_non_public_article_is_cited_without_a_page(workspace: Workspace, audience: str) -> None:
    """Its help page would be a 404 for anyone who follows an answer's link."""
    row = published(audience=audience)
    assert passage_address(article_address(row), 1, 0, 5) == ""
    own = published("Own", audience=audience, url="https://shop.example/account/help")
    assert article_address(own) == "https://shop.example/account/help"


def test_a_citation_opens_its_passage_in_its_revision(client: Client, workspace: Workspace) -> None:
    row = published()
    start = BODY.index("It is free")
    address = passage_address(article_address(row), 1, start, start + len("It is free above 80 euros."))
    tree = page(client, address)
    assert tree.css_first("mark#passage").text() == "It is free above 80 euros."
    assert "quoted" in words(tree)
    assert "changed since" not in words(tree)
    save_draft(row.pk, Change(body=BODY.replace("80", "120")))
    publish(row.pk)
    tree = page(client, address)
    assert tree.css_first("mark#passage").text() == "It is free above 80 euros."
    assert "changed since" in words(tree)
    assert "120 euros" in words(page(client, article_address(row)))


def test_a_draft_cannot_be_read_by_its_number(client: Client, workspace: Workspace) -> None:
    row = published()
    save_draft(row.pk, Change(body="Secret plans."))
    assert "Secret" not in words(page(client, passage_address(article_address(row), 2, 0, 6)))
    save_draft(row.pk, Change(body="Delivery is free."))
    publish(row.pk)
    assert "Secret" not in words(page(client, passage_address(article_address(row), 2, 0, 6)))


def test_internal_revisions_stay_internal_when_the_audience_widens(client: Client, workspace: Workspace) -> None:
    row = published(body="Secret: we pay double.", audience="internal")
    save_draft(row.pk, Change(body="Delivery is free."))
    publish(row.pk)
    row = save_draft(row.pk, Change(audience="public"))
    assert "Secret" not in words(page(client, passage_address(article_address(row), 1, 0, 6)))
    now = page(client, passage_address(article_address(row), 2, 0, 8))
    assert now.css_first("mark#passage").text() == "Delivery"
    save_draft(row.pk, Change(body="Delivery costs."))
    publish(row.pk)
    assert "changed since" in words(page(client, passage_address(article_address(row), 2, 0, 8)))


def test_a_wider_audience_and_a_new_text_are_published_together(client: Client, workspace: Workspace) -> None:
    """The console saves and publishes in one transaction."""
    row = published(body="Secret: we pay double.", audience="internal")
    row = save_draft(row.pk, Change(body="Delivery is free.", audience="public"), is_published_at_once=True)
    publish(row.pk)
    for number in (1, 2):
        shown = words(page(client, passage_address(article_address(row), number, 0, 6)))
        assert "Delivery is free." in shown and "Secret" not in shown


def test_an_import_publishes_a_wider_audience_and_a_new_text_together(client: Client, workspace: Workspace) -> None:
    row = published(body="Secret: we pay double.", audience="internal", external_id="delivery")
    opened = Document("delivery", ArticleText("Delivery", "Delivery is free."), audience="public")
    import_documents([opened])
    row.refresh_from_db()
    for number in (1, 2):
        shown = words(page(client, passage_address(article_address(row), number, 0, 6)))
        assert "Delivery is free." in shown and "Secret" not in shown


@pytest.mark.parametrize(
    "query", ["r=x&start=0&end=5", "r=1", "r=1&start=-5&end=99999999999999999999", "r=7&start=0&end=5"]
)
def test_an_invalid_citation_still_shows_the_article(client: Client, workspace: Workspace, query: str) -> None:
    tree = page(client, f"{article_address(published())}?{query}")
    assert "Delivery costs" in words(tree)
    assert tree.css("mark") == []


def test_a_non_public_article_is_a_friendly_404(
    client: Client, workspace: Workspace, other_workspace: Workspace
) -> None:
    hidden = [
        published("Internal", audience="internal"),
        published("Members", audience="signed_in"),
        archive(published("Archived").pk),
        create_article(Change(title="Draft", body="x")),
    ]
    addresses = [f"/help/wrenfell/{row.external_id}/" for row in hidden] + [
        f"/help/wrenfell/{row.pk}/" for row in hidden
    ]
    addresses += ["/help/wrenfell/nothing/", "/help/another/delivery/", "/help/nobody/", "/help/nobody/x/"]
    published()
    for address in addresses:
        tree = page(client, address, status=404)
        assert "Page not found" in words(tree)
        assert not any(row.title in words(tree) for row in hidden)


@pytest.mark.parametrize("name", ["x%00", "%00", "x%0a", "a/%7f", "x%1f", "%ff"])
def test_an_invalid_name_is_a_friendly_404(client: Client, workspace: Workspace, name: str) -> None:
    published()
    text = words(page(client, f"/help/wrenfell/{name}/", status=404))
    assert "Page not found" in text or "There is no page here" in text  # the help centre's 404 page, or the product's


@pytest.mark.parametrize("query", ["lang=%00", "r=%00&start=%00&end=%00", "r=1&start=0&end=5&lang=d%00e"])
def test_an_invalid_query_is_ignored(client: Client, workspace: Workspace, query: str) -> None:
    assert "Delivery costs" in words(page(client, f"{article_address(published())}?{query}"))
    page(client, f"/help/wrenfell/?{query}")


def test_a_search_finds_articles_and_links_to_the_passage(client: Client, workspace: Workspace) -> None:
    published()
    published("Goodwill", "We may give 80 euros away.", audience="internal")
    sweep()
    tree = page(client, "/help/wrenfell/?q=free+above+80+euros")
    assert [hit.css_first("b").text() for hit in tree.css(".hit")] == ["Delivery"]
    assert "##" not in tree.css_first(".hit span").text()
    href = tree.css_first(".hit").attributes["href"] or ""
    assert page(client, href).css_first("mark#passage") is not None


def test_a_search_with_an_answer_lists_no_articles_about_other_things(client: Client, workspace: Workspace) -> None:
    published()
    for topic in ("pruning", "grafting", "mulching"):
        published(topic.capitalize(), f"We teach {topic} in the yard on Saturdays.")
    sweep()
    found = page(client, "/help/wrenfell/?q=free+above+80+euros")
    unsure = page(client, "/help/wrenfell/?q=xylophone")
    assert [hit.css_first("b").text() for hit in found.css(".hit")] == ["Delivery"]
    assert "1 article" in words(found) and len(unsure.css(".hit")) == 4


def test_a_search_for_several_things_lists_the_articles_of_all(
    client: Client, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their scores are sums, so an article that answers one part may be far below the best."""
    published()
    published("Grafting", "We teach grafting in the yard on Saturdays.")
    sweep()

    def in_parts(question: str, **how: Any) -> Retrieval:
        found = search(question, **how)
        assert (found.parts, found.is_answerable) == (1, True)
        return replace(found, parts=search(f"{question}. Tell me more about it, please! " * 12, **how).parts)

    monkeypatch.setattr("kb.help_centre.search_page.search", in_parts)
    assert len(page(client, "/help/wrenfell/?q=free+above+80+euros").css(".hit")) == 2


def test_an_uncertain_search_says_so_above_its_results(client: Client, workspace: Workspace) -> None:
    published()
    sweep()
    tree = page(client, "/help/wrenfell/?q=xylophone")
    assert "No results for “xylophone” These articles are the closest matches." in words(tree)
    assert [hit.css_first("b").text() for hit in tree.css(".hit")] == ["Delivery"]
    assert "1 article" in words(page(client, "/help/wrenfell/?q=free+above+80+euros"))


def test_a_search_that_finds_nothing_says_so_and_shows_the_words_as_text(client: Client, workspace: Workspace) -> None:
    tree = page(client, "/help/wrenfell/?q=%3Cscript%3Ealert(1)%3C/script%3E%00")
    assert "No results for “<script>alert(1)</script>”" in words(tree)
