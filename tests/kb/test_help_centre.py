"""The help centre: cards, related articles, votes, and what search engines and programs read."""

import re
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.importing.picture_reencoding import redrawn_logo
from kb.models import Article, Collection, Helpfulness
from kb.services import Change, archive, create_article, publish, save_draft
from kb.tasks import sweep
from supportbot.accounts.channels import create_channel
from supportbot.accounts.logos import set_logo
from supportbot.accounts.models import Workspace
from tests.console.test_firststeps import png
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
SECRET = "Xylograph"


@pytest.fixture(autouse=True)
def _no_counts(settings: Any) -> None:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    cache.clear()


def published(title: str, body: str = "Text.", external_id: str = "", **facts: Any) -> Article:
    return publish(create_article(Change(title=title, body=body, **facts), external_id=external_id).pk)


def page(client: Client, address: str, status: int = 200) -> LexborHTMLParser:
    answer = client.get(address)
    assert answer.status_code == status
    return LexborHTMLParser(answer.content.decode())


def secrets() -> list[Article]:
    """Return one article for each reason to be hidden, all with the secret word."""
    gone = published(f"{SECRET} gone", f"{SECRET} delivery", "gone")
    archive(gone.pk)
    draft = create_article(Change(title=f"{SECRET} draft", body=f"{SECRET} delivery"), external_id="draft")
    inside = [
        published(f"{SECRET} {name}", f"{SECRET} delivery", name, audience=name) for name in ("signed_in", "internal")
    ]
    off = published(f"{SECRET} off", f"{SECRET} delivery", "off", on_help_pages=False)
    return [gone, draft, *inside, off]


FILES = ("/sitemap.xml", "/llms.txt", "/help/wrenfell/sitemap.xml", "/help/wrenfell/llms.txt", "/robots.txt")


def test_only_public_articles_are_disclosed_to_programs(client: Client, workspace: Workspace) -> None:
    published("Delivery", "Delivery costs 4.90 euros.", "delivery/costs")
    published("Elsewhere", external_id="own", url="https://shop.example/own")
    hidden = secrets()
    save_draft(Article.objects.get(external_id="delivery/costs").pk, Change(body=f"{SECRET} plans"))
    for address in (*FILES, "/help/wrenfell/", "/help/wrenfell/delivery/costs/", "/help/wrenfell/delivery/costs.md"):
        answer = client.get(address)
        assert (answer.status_code, SECRET in answer.content.decode()) == (200, False), address
    for row in hidden:
        for name in (row.external_id, str(row.pk)):
            assert client.get(f"/help/wrenfell/{name}.md").status_code == 404
            assert client.post(f"/help/wrenfell/{name}/helped", {"helped": "yes"}).status_code == 404
    assert not Helpfulness.objects.exists()
    places = re.findall(r"<loc>([^<]*)</loc>", client.get("/sitemap.xml").content.decode())
    assert [place.partition("/help/")[2] for place in places] == ["wrenfell/", "wrenfell/delivery/costs/"]
    assert "- [Delivery](http" in client.get("/llms.txt").content.decode()
    markdown = client.get("/help/wrenfell/delivery/costs.md")
    assert markdown.content.decode() == "# Delivery\n\nDelivery costs 4.90 euros.\n"
    assert markdown.headers["Content-Type"] == "text/markdown; charset=utf-8"


def test_the_root_names_no_workspace_if_there_are_several(
    client: Client, workspace: Workspace, other_workspace: Workspace
) -> None:
    robots = client.get("/robots.txt").content.decode()
    assert "Disallow: /admin/" in robots
    assert "Sitemap" not in robots
    assert {client.get(address).status_code for address in FILES[:2]} == {404}
    assert client.get(FILES[2]).status_code == 200


def test_the_start_page_has_a_card_for_each_section_and_the_newest_articles(
    client: Client, workspace: Workspace
) -> None:
    shelf = Collection.objects.create(slug="d", name="Delivery & more")
    for number in range(7):
        published(f"Delivery {number}", collection=shelf)
    published("Return", category="Returns")
    tree = page(client, "/help/wrenfell/")
    assert [visible_text(card) for card in tree.css(".shelf .amount")] == ["7 articles", "1 article"]
    assert len(tree.css(".shelf")[0].css("li")) == 4
    assert visible_text(tree.css_first(".list li")) == "Return"
    more = tree.css_first(".shelf .more a").attributes["href"] or ""
    listed = page(client, f"/help/wrenfell/{more}")
    assert [visible_text(item) for item in listed.css(".list li")] == [f"Delivery {number}" for number in range(7)]


@pytest.mark.long
def test_the_titles_of_the_only_section_are_on_the_start_page(client: Client, workspace: Workspace) -> None:
    for number in range(24):
        published(f"Delivery {number:02}", external_id=f"d{number}", category="Delivery")
    tree = page(client, "/help/wrenfell/")
    assert tree.css(".cats, .lists, .more") == []  # nothing is listed twice
    assert [visible_text(row) for row in tree.css(".only li")] == [f"Delivery {number:02}" for number in range(24)]
    published("Delivery 24", external_id="d24", category="Delivery")
    tree = page(client, "/help/wrenfell/")
    assert (len(tree.css(".only li")), visible_text(tree.css_first(".only .more"))) == (24, "Show all 25")
    assert visible_text(tree.css_first(".lists li")) == "Delivery 24"
    assert visible_text(tree.css_first(".only h2")) == "Delivery"
    published("Return", external_id="r", category="Returns")
    assert len(page(client, "/help/wrenfell/").css(".cats .shelf")) == 2


def test_without_categories_the_start_page_does_not_name_the_collection(client: Client, workspace: Workspace) -> None:
    published("Delivery", external_id="delivery", collection=Collection.objects.create(slug="intern", name="Intern"))
    tree = page(client, "/help/wrenfell/")
    assert visible_text(tree.css_first(".only h2")) == "All articles"
    assert "Intern" not in visible_text(tree)


def test_every_page_links_the_workspaces_imprint_and_privacy_page(client: Client, workspace: Workspace) -> None:
    assert b"Imprint" not in client.get("/help/wrenfell/").content
    Workspace.objects.update(imprint_url="https://shop.example/imprint", privacy_url="https://shop.example/privacy")
    for page in ("/help/wrenfell/", "/help/wrenfell/?q=hat", "/help/wrenfell/no-such-page/"):
        footer = LexborHTMLParser(client.get(page).content.decode()).css_first("footer")
        links = {link.text(strip=True): link.attributes["href"] for link in footer.css("a")}
        assert links == {"Imprint": "https://shop.example/imprint", "Privacy": "https://shop.example/privacy"}, page


def test_an_empty_start_page_has_one_column(client: Client, workspace: Workspace) -> None:
    tree = page(client, "/help/wrenfell/")
    assert "No articles yet" in visible_text(tree.css_first(".empty"))
    assert tree.css(".cats") == []


def test_a_page_has_metadata_and_the_brand(client: Client, workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(accent="#1f5b45", site_url="https://wrenfell.example")
    logo = set_logo(workspace, redrawn_logo(png()))
    published("Delivery", "## Costs\n\nDelivery *costs* 4.90 euros.", "delivery")
    for address in ("/help/wrenfell/", "/help/wrenfell/delivery/"):
        tree = page(client, address)
        told = {tag.attributes.get("property") or tag.attributes.get("name"): tag for tag in tree.css("meta[content]")}
        assert {"description", "og:title", "og:description", "og:url", "og:image", "og:site_name"} <= set(told)
        assert tree.css_first("img.mk").attributes["src"] == f"/logo/{logo.digest}.png"
        assert tree.css_first("link[rel=icon]").attributes["href"] == f"/logo/{logo.digest}.png"
        assert tree.css_first("a.home").attributes["href"] == "https://wrenfell.example"
        assert tree.css("link[rel=canonical]")
    assert told["description"].attributes["content"] == "Costs Delivery costs 4.90 euros."
    theme = client.get(tree.css_first('link[href*="theme.css"]').attributes["href"] or "")
    assert (theme.headers["Content-Type"], "#1f5b45" in theme.content.decode()) == ("text/css; charset=utf-8", True)


def test_every_page_links_to_the_chat_and_a_person(client: Client, workspace: Workspace) -> None:
    published("Delivery", external_id="delivery")
    pages = ("/help/wrenfell/", "/help/wrenfell/delivery/", "/help/wrenfell/?q=klarna")
    for address in pages:
        assert page(client, address).css("[data-chat], [data-channel]") == []
    channel = create_channel(workspace, "Shop").channel
    for address in pages:
        tree = page(client, address)
        assert [link.attributes["data-chat"] for link in tree.css("a[data-chat]")] == ["person", "open"]
        assert tree.css_first("script[data-channel]").attributes["data-channel"] == channel.key
        assert "connect-src 'self' ws://testserver" in client.get(address).headers["Content-Security-Policy"]


def test_a_vote_is_counted_once_a_day_per_address(client: Client, workspace: Workspace) -> None:
    row = published("Delivery", external_id="delivery")
    form = page(client, "/help/wrenfell/delivery/").css_first(".vote form").attributes["action"] or ""
    for answer, address in (("yes", "10.0.0.1"), ("no", "10.0.0.1"), ("no", "10.0.0.2"), ("maybe", "10.0.0.3")):
        assert client.post(form, {"helped": answer}, REMOTE_ADDR=address).status_code == 302
    away = {"Sec-Fetch-Site": "cross-site"}
    assert client.post(form, {"helped": "no"}, headers=away, REMOTE_ADDR="10.0.0.4").status_code == 302
    votes = Helpfulness.objects.get()
    assert (votes.article_id, votes.revision, votes.yes, votes.no) == (row.pk, 1, 1, 1)
    assert client.get(form).status_code == 405
    thanked = page(client, "/help/wrenfell/delivery/?helped=no")
    assert "We will look at this article" in visible_text(thanked.css_first("#helped"))


@pytest.mark.long
def test_related_articles_are_similar_public_and_in_the_same_language(client: Client, workspace: Workspace) -> None:
    published("Delivery", "Delivery by parcel takes two working days.", "delivery")
    published("Delivery abroad", "Delivery by parcel abroad takes five working days.", "abroad")
    published("Lieferung", "Delivery by parcel takes two working days.", "lieferung", locale="de")
    secrets()
    sweep()
    shown = page(client, "/help/wrenfell/delivery/").css(".beside .list a")
    assert [visible_text(link) for link in shown] == ["Delivery abroad"]
    save_draft(Article.objects.get(external_id="abroad").pk, Change(audience="internal"))
    assert page(client, "/help/wrenfell/delivery/").css(".beside .list a") == []


@pytest.mark.django_db(transaction=True)  # the call is recorded over another connection
def test_a_search_is_answered_from_public_articles_only(client: Client, workspace: Workspace) -> None:
    published("Delivery", "## What you pay\n\nDelivery costs 4.90 euros. It is free above 80 euros.", "delivery")
    secrets()
    sweep()
    tree = page(client, "/help/wrenfell/?q=free+above+80+euros")
    answer = client.get(tree.css_first("[data-answer]").attributes["data-answer"] or "")
    html = answer.content.decode()
    assert (answer.status_code, "free above 80 euros" in html, SECRET in html) == (200, True, False)
    assert "/help/wrenfell/delivery/?r=1" in (LexborHTMLParser(html).css_first(".from a").attributes["href"] or "")
    assert LexborHTMLParser(html).css("a.cite")
    for question in (f"What is a {SECRET}?", "", "Who won the world cup?"):
        assert client.get("/help/wrenfell/answer", {"q": question}).status_code == 204
    asked = [client.get("/help/wrenfell/answer", {"q": "free above 80 euros"}).status_code for _ in range(12)]
    assert asked[-1] == 429
    assert client.get("/help/nobody/answer", {"q": "x"}).status_code == 404
