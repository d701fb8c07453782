"""What a part's page shows at once, and the examples on it."""

import pytest
from django.test import Client

from actions.definitions.expression import compile_expression
from actions.definitions.models import ActionDefinition
from actions.definitions.services import save_draft
from supportbot.console.definitions.parts import PARTS
from tests.actions.defined.conftest import bilingual, document
from tests.console.definition_pages import at, page_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.console.definition_pages import draft as draft
from tests.console.definition_pages import retail as retail
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("text", [text for part in PARTS for text, _ in part.examples])
def test_each_example_is_an_expression(text: str) -> None:
    compile_expression(text)


def test_the_page_of_the_guards_shows_examples(browser: Client, draft: ActionDefinition) -> None:
    page = page_of(browser.get(at(draft, "part/guards/")))
    assert "today + days(28)" in visible_text(page.css_first("details"), " ")
    assert page_of(browser.get(at(draft, "part/card/"))).css_first("details") is None


def test_an_argument_shows_the_fields_of_its_type_and_the_others_further_down(
    browser: Client, draft: ActionDefinition
) -> None:
    made = bilingual(document())
    save_draft(made, actor="operator:test")
    page = page_of(browser.get(at(draft, "part/arguments/")))
    rows = {row.css_first("input[name$='-name']").attributes.get("value"): row for row in page.css("fieldset.group")}  # type: ignore[union-attr]
    hidden = {one.attributes["name"] for one in rows["order_id"].css("details [name]")}
    assert {name.rpartition("-")[2] for name in hidden if name} == {
        "options", "minimum", "maximum", "min_items", "max_items", "of", "fields",
    }  # fmt: skip
    assert "Order of the languages: de, en." in visible_text(rows["reason"], " ")
    assert rows["reason"].css_first("details [name$='-options']") is None
