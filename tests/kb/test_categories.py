"""Categories on the help pages: their order, icons, other languages and former names; and the most-read articles."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import localdate
from selectolax.lexbor import LexborHTMLParser

from kb import categories
from kb.categories import move_category, save_category
from kb.errors import InvalidDocument
from kb.importing.importer import import_documents, preview_import
from kb.importing.parsed_document import Document
from kb.models import Article, ArticleReads, Category
from kb.services import Change, archive, create_article, publish, save_draft
from kb.tasks import forget_reads
from kb.validation import ArticleText
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Channel, Workspace
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
HOME = "/help/wrenfell/"
BROWSER = {"Sec-Fetch-Dest": "document"}


@pytest.fixture(autouse=True)
def _no_counts(settings: Any) -> None:
    settings.KB_EMBEDDER = "kb.testing.HashEmbedder"
    cache.clear()


def published(title: str, category: str, **facts: Any) -> Article:
    return publish(create_article(Change(title=title, body="Text.", category=category, **facts)).pk)


def home(client: Client, more: str = "") -> LexborHTMLParser:
    answer = client.get(f"{HOME}{more}")
    assert answer.status_code == 200
    return LexborHTMLParser(answer.content.decode())


def headings(client: Client, more: str = "") -> list[str]:
    return [visible_text(card) for card in home(client, more).css(".shelf h2, .only h2")]


def renamed(old: str, new: str) -> Category:
    row = Category.objects.get(name=old)
    row.name = new
    save_category(row)
    return row


def document(name: str, category: str) -> Document:
    return Document(name, ArticleText(name.title(), "Text.\n"), origin=f"{name}.md", category=category)


def test_categories_are_in_their_order_and_the_others_follow_by_name(client: Client, workspace: Workspace) -> None:
    for name in ("Alpha", "Beta", "Gamma"):
        published(f"About {name}", name)
    assert headings(client) == ["Alpha", "Beta", "Gamma"]
    move_category(Category.objects.get(name="Gamma").pk, "up")
    assert headings(client) == ["Alpha", "Gamma", "Beta"]
    move_category(Category.objects.get(name="Alpha").pk, "up")  # it is already the first
    assert headings(client) == ["Alpha", "Gamma", "Beta"]
    published("About Aaa", "Aaa")
    assert headings(client) == ["Alpha", "Gamma", "Beta", "Aaa"]


def test_a_card_shows_the_icon_and_the_description_instead_of_articles(client: Client, workspace: Workspace) -> None:
    published("Returns", "Returns & refunds")
    published("Payment", "Ways to pay")
    row = Category.objects.get(name="Returns & refunds")
    assert "#i-book" in home(client).css_first(".shelf").html
    row.icon, row.description = "undo", "Send back, get your <money>"
    save_category(row)
    card = home(client).css_first(".shelf")
    assert "#i-undo" in (card.html or "")
    assert visible_text(card.css_first(".about")) == "Send back, get your <money>"
    assert card.css("li") == []


def test_readers_of_another_language_see_names_in_it(client: Client, workspace: Workspace) -> None:
    published("Rückgabe", "Returns", locale="de")
    published("Returns", "Returns")
    row = Category.objects.get()
    row.translations = {"de": {"name": "Rücksendungen", "description": "Alles zurück"}}
    save_category(row)
    assert headings(client, "?lang=en") == ["Returns"]
    assert headings(client, "?lang=de") == ["Rücksendungen"]
    listed = home(client, "?lang=de&section=Returns")
    assert visible_text(listed.css_first("h1")) == "Rücksendungen"
    article = LexborHTMLParser(client.get(f"{HOME}ruckgabe/").content.decode())
    assert "Rücksendungen" in visible_text(article.css_first(".crumb"))


def test_the_former_name_of_a_category_leads_to_it(client: Client, workspace: Workspace) -> None:
    article = published("Returns", "Returns")
    renamed("Returns", "Sending back")
    article.refresh_from_db()
    assert article.category == "Sending back"
    moved = client.get(f"{HOME}?lang=en&section=Returns")
    assert (moved.status_code, moved.headers["Location"]) == (302, f"{HOME}?lang=en&section=Sending+back")
    assert client.get(moved.headers["Location"]).status_code == 200
    renamed("Sending back", "Returns & refunds")
    for name in ("Returns", "Sending+back"):
        target = client.get(f"{HOME}?section={name}").headers["Location"]
        assert target == f"{HOME}?lang=en&section=Returns+%26+refunds"
    renamed("Returns & refunds", "Returns")  # now the name of a separate category again
    assert client.get(f"{HOME}?section=Returns").status_code == 200


def test_files_and_programs_that_use_a_former_name_create_no_second_category(workspace: Workspace) -> None:
    import_documents([document("wool", "Care")])
    renamed("Care", "Washing")
    [again] = preview_import([document("wool", "Care")]).items
    assert again.outcome == "unchanged"
    assert [item.outcome for item in import_documents([document("wool", "Care")]).items] == ["unchanged"]
    import_documents([document("felt", "Care")])
    save_draft(create_article(Change(title="Silk", body="Text.", category="Washing")).pk, Change(category="Care"))
    assert set(Article.objects.values_list("category", flat=True)) == {"Washing"}
    assert list(Category.objects.values_list("name", flat=True)) == ["Washing"]


def test_a_name_of_another_category_is_refused(workspace: Workspace) -> None:
    published("One", "Care")
    published("Two", "Repair")
    with pytest.raises(InvalidDocument):
        renamed("Repair", "care")
    assert set(Category.objects.values_list("name", flat=True)) == {"Care", "Repair"}
    assert set(Article.objects.values_list("category", flat=True)) == {"Care", "Repair"}


def test_a_name_that_an_article_gets_meanwhile_is_refused(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    published("One", "Care")
    check = categories.check_category_name

    def outrun(name: str, **but: Any) -> str:
        checked = check(name, **but)
        categories.note_categories([checked])
        return checked

    monkeypatch.setattr(categories, "check_category_name", outrun)
    for save in (lambda: renamed("Care", "Washing"), lambda: save_category(Category(name="Repair"))):
        with pytest.raises(InvalidDocument, match="A category with this name already exists") as refusal:
            save()
        assert list(refusal.value.fields) == ["name"]
    assert Article.objects.get().category == "Care"
    assert Category.objects.get(name="Care").former_names == []


def test_a_new_category_may_take_the_former_name_of_another(client: Client, workspace: Workspace) -> None:
    published("One", "Care")
    renamed("Care", "Washing")
    save_category(Category(name="Care"))
    published("Two", "Care")
    assert headings(client) == ["Care", "Washing"]
    assert client.get(f"{HOME}?section=Care").status_code == 200


@pytest.mark.long
def test_the_articles_that_most_readers_opened_are_listed(client: Client, workspace: Workspace) -> None:
    articles = [published(f"Part {number}", "Parts") for number in range(7)]
    for number, article in enumerate(articles[:4]):
        for reader in range(number + 1):
            address = f"{HOME}{article.external_id}/"
            for _ in range(2):  # each reader counts once a day
                client.get(address, headers=BROWSER, REMOTE_ADDR=f"10.0.0.{reader}")
    client.get(f"{HOME}{articles[6].external_id}/")  # not read by a browser
    archive(articles[3].pk)
    listed = [visible_text(section) for section in home(client).css(".lists section")]
    assert listed[0].split("\n")[0].startswith("Most read this week")
    titles = [visible_text(link) for link in home(client).css(".lists section")[0].css("li")]
    assert titles == ["Part 2", "Part 1", "Part 0"]


@pytest.mark.long
def test_reads_count_for_a_week_and_are_deleted_after_a_month(client: Client, workspace: Workspace) -> None:
    articles = [published(f"Part {number}", "Parts") for number in range(7)]
    for days, article in zip((0, 3, 8, 40), articles, strict=False):
        ArticleReads.objects.create(article=article, day=localdate() - timedelta(days=days), count=5)
    assert "Most read" not in visible_text(home(client).css_first(".lists"))  # two are not enough for a list
    ArticleReads.objects.create(article=articles[4], day=localdate(), count=1)
    assert "Most read" in visible_text(home(client).css_first(".lists"))
    forget_reads()
    assert ArticleReads.objects.count() == 4


def test_the_channels_suggestions_are_shown_as_frequent_questions(client: Client, workspace: Workspace) -> None:
    published("Returns", "Returns")
    assert home(client).css(".often") == []
    create_channel(workspace, "Shop", allowed_origins=["https://shop.example"])
    Channel.objects.update(suggestions={"en": ["Where is my parcel?"]})
    link = home(client).css_first(".often a")
    assert visible_text(link) == "Where is my parcel?"
    assert client.get(f"{HOME}{link.attributes['href']}").status_code == 200
