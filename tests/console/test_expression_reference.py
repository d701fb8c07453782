"""The reference of expressions in the console: its content, who can read it, and the pages that link to it."""

import pytest
from django.test import Client

from actions.definitions.expressions.parser import FUNCTIONS
from actions.definitions.models import ActionDefinition
from supportbot.accounts.models import User, Workspace
from tests.actions.defined.conftest import retail as retail
from tests.console.definition_pages import ACTIONS, at, page_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.console.definition_pages import draft as draft
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
ADDRESS = f"{ACTIONS}expressions/"


def test_the_reference_has_every_function_and_the_grammar(browser: Client) -> None:
    page = page_of(browser.get(ADDRESS))
    [chapters] = page.css("article.prose")
    assert chapters.attributes["lang"] == "en"  # whatever the page's language
    words = visible_text(chapters, " ")
    assert [name for name in FUNCTIONS if f"{name}(" not in words] == []
    assert "disjunction = conjunction" in words and "percent-encoded" in words
    for link in page.css("main nav.seg a, article a[href^='#']"):
        assert chapters.css_first(f"[id='{(link.attributes['href'] or '')[1:]}']") is not None


def test_only_people_who_may_see_definitions_can_read_the_reference(client: Client, workspace: Workspace) -> None:
    assert client.get(ADDRESS).status_code == 302
    client.force_login(User.objects.create_user("eve", password="x"))
    assert client.get(ADDRESS).status_code in (302, 403)


PARTS = ("arguments", "lookups", "guards", "money", "answer", "card", "limits")


@pytest.mark.parametrize("part", PARTS)
def test_the_reference_is_linked_next_to_each_expression(browser: Client, draft: ActionDefinition, part: str) -> None:
    page = page_of(browser.get(at(draft, f"part/{part}/")))
    assert page.css(f"main > p.help a[href='{ADDRESS}']") or page.css(f"p.help > a[href='{ADDRESS}']")
    beside = {link.parent.parent.css_first("textarea").id for link in page.css(f".f a[href='{ADDRESS}']")}
    ends = ("-value", "-owner", "-for_each", "-require", "-amount", "-currency", "-happened", "-did_not", "-when")
    expressions = {one.id for one in page.css("textarea") if (one.id or "").endswith(ends)}
    assert beside and expressions <= beside


@pytest.mark.parametrize("page", ["document/", "part/call/"])
def test_the_reference_is_linked_where_templates_contain_expressions(
    browser: Client, draft: ActionDefinition, page: str
) -> None:
    assert page_of(browser.get(at(draft, page))).css(f"a[href='{ADDRESS}']")
