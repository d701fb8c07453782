"""Categories in the console: listed in their order, moved, renamed, translated, deleted."""

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.models import Article, Category
from kb.services import Change, create_article, publish
from supportbot.accounts.models import Workspace
from tests.console.conftest import Enter
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
LIST = "/admin/kb/category/"


def published(title: str, category: str, locale: str = "en") -> Article:
    return publish(create_article(Change(title=title, body="Text.", category=category, locale=locale)).pk)


def names(client: Client) -> list[str]:
    tree = LexborHTMLParser(client.get(LIST).content.decode())
    return [visible_text(row.css_first("th")) for row in tree.css("#result_list tbody tr")]


def test_an_editor_orders_categories(workspace: Workspace, enter: Enter) -> None:
    editor = enter("editor")
    for name in ("Alpha", "Beta", "Gamma"):
        published(name, name)
    assert names(editor) == ["Alpha", "Beta", "Gamma"]
    button = LexborHTMLParser(editor.get(LIST).content.decode()).css_first('[aria-label="Move down: Alpha"]')
    editor.post(button.attributes["formaction"] or "")
    assert names(editor) == ["Beta", "Alpha", "Gamma"]
    assert editor.post(f"{LIST}{Category.objects.get(name='Beta').pk}/move/away/").status_code == 404


def test_an_editor_renames_and_translates_a_category(workspace: Workspace, enter: Enter) -> None:
    editor = enter("editor")
    article = published("Returns", "Returns")
    published("Rückgabe", "Returns", "de")
    row = Category.objects.get()
    html = editor.get(f"{LIST}{row.pk}/change/").content.decode()
    assert "Name: German" in html and "#i-truck" in html
    sent = {"name": "Sending back", "icon": "undo", "description": "Free", "name_de": "Rücksendung"}
    assert editor.post(f"{LIST}{row.pk}/change/", sent).status_code == 302
    row.refresh_from_db()
    assert (row.name, row.icon, row.description, row.former_names) == ("Sending back", "undo", "Free", ["Returns"])
    assert row.translations == {"de": {"name": "Rücksendung", "description": ""}}
    article.refresh_from_db()
    assert article.category == "Sending back"


def test_an_invalid_entry_is_reported_and_nothing_changes(workspace: Workspace, enter: Enter) -> None:
    editor = enter("editor")
    published("One", "Care")
    published("Two", "Repair")
    row = Category.objects.get(name="Repair")
    for sent, told in (
        ({"name": "care"}, "A category with this name already exists"),
        ({"name": "R", "icon": "x"}, "valid"),
    ):
        assert told in editor.post(f"{LIST}{row.pk}/change/", sent).content.decode()
    row.refresh_from_db()
    assert (row.name, row.icon) == ("Repair", "")
    assert Article.objects.filter(category="Repair").count() == 1


def test_only_an_empty_category_can_be_deleted(workspace: Workspace, enter: Enter) -> None:
    editor = enter("editor")
    published("One", "Care")
    assert editor.post(f"{LIST}add/", {"name": "Empty"}).status_code == 302
    for name, status in (("Care", 403), ("Empty", 302)):
        address = f"{LIST}{Category.objects.get(name=name).pk}/delete/"
        assert editor.post(address, {"post": "yes"}).status_code == status
    assert list(Category.objects.values_list("name", flat=True)) == ["Care"]


def test_an_agent_can_read_categories_and_change_none(workspace: Workspace, enter: Enter) -> None:
    published("One", "Alpha")
    published("Two", "Beta")
    agent = enter("agent")
    assert names(agent) == ["Alpha", "Beta"]
    assert "Move down" not in agent.get(LIST).content.decode()
    row = Category.objects.get(name="Alpha")
    assert agent.post(f"{LIST}{row.pk}/move/down/").status_code == 403
    assert agent.post(f"{LIST}{row.pk}/change/", {"name": "Other"}).status_code == 403
    assert names(agent) == ["Alpha", "Beta"]
