"""What a part's page shows at once, and the examples on it."""

import pytest
from django.test import Client

from actions.definitions import services
from actions.definitions.expression import compile_expression
from actions.definitions.models import ActionDefinition
from actions.definitions.services import save_draft
from supportbot.console.definitions.parts import PARTS
from tests.actions.defined.conftest import bilingual, document, record_a_case
from tests.console.definition_pages import at, fields_of, page_of, problems_of
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


@pytest.mark.parametrize("line", ["M: Medium", "M:Medium", "| Medium", "M | Mittel | Medium | Moyen"])
def test_an_option_in_another_format_is_refused_with_the_format(
    browser: Client, draft: ActionDefinition, line: str
) -> None:
    save_draft(bilingual(document()), actor="operator:test")
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    field = next(name for name in sent if name.endswith("-options") and sent[name])
    refused = browser.post(address, {**sent, field: f"\n\nS | Klein | Small\n \n{line}\n"})
    assert refused.status_code == 400 and "Line 5" in problems_of(refused)
    assert "value | de | en" in problems_of(refused)
    assert draft.versions.count() == 2


def test_options_without_labels_are_saved_with_a_warning(browser: Client, draft: ActionDefinition) -> None:
    save_draft(bilingual(document()), actor="operator:test")
    address = at(draft, "part/arguments/")
    opened = browser.get(address)
    assert "customers read the value itself" not in visible_text(page_of(opened), " ")
    sent = fields_of(opened)
    field = next(name for name in sent if name.endswith("-options") and sent[name])
    saved = browser.post(address, {**sent, field: "S | Klein | Small\nsize: M |"}, follow=True)
    assert "Some options of reason lack a label in at least one language" in visible_text(page_of(saved), " ")
    options = draft.versions.order_by("-number")[0].document["arguments"]["reason"]["options"]
    assert options == [{"value": "S", "label": {"de": "Klein", "en": "Small"}}, {"value": "size: M"}]


def test_options_with_a_last_bar_and_values_with_a_colon_are_saved_as_entered(
    browser: Client, draft: ActionDefinition
) -> None:
    save_draft(bilingual(document()), actor="operator:test")
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    field = next(name for name in sent if name.endswith("-options") and sent[name])
    browser.post(address, {**sent, field: "S | Klein | Small |\n\n10:30 |"})
    newest = draft.versions.order_by("-number")[0]
    options = [{"value": "S", "label": {"de": "Klein", "en": "Small"}}, {"value": "10:30"}]
    assert newest.document["arguments"]["reason"]["options"] == options
    again = fields_of(browser.get(address))
    assert again[field] == "S | Klein | Small\n10:30 |"
    assert browser.post(address, again).status_code == 302


def test_a_mistake_in_types_is_told_on_save(browser: Client, draft: ActionDefinition) -> None:
    address = at(draft, "part/guards/")
    sent = fields_of(browser.get(address))
    refused = browser.post(address, {**sent, "guards-0-require": "arguments.reason == 'x' or today + 14 > today"})
    assert refused.status_code == 400 and draft.versions.count() == 1
    error = page_of(refused).css_first("#id_guards-0-require_error")
    assert error is not None and "write days(28) for a number of days" in error.text()


def test_the_pages_of_a_version_stored_with_such_a_mistake_still_open(
    browser: Client, draft: ActionDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_a_case(draft.versions.get())
    monkeypatch.setattr(services, "check_draft", lambda document: None)  # as an earlier release saved it
    guard = {**document()["guards"][0], "require": "order.status != '' or today + 14 > today"}
    save_draft(document(guards=[guard]), actor="operator:test")
    assert browser.get(at(draft, "cases/")).status_code == 200
    page = page_of(browser.get(at(draft, "publish/")))
    assert "write days(28)" in visible_text(page, " ") and "Publish version" not in page.text()


@pytest.mark.parametrize(("language", "first"), [("en", "en"), ("de", "de"), ("fr", "de")])
def test_the_language_of_the_page_comes_first(
    browser: Client, draft: ActionDefinition, language: str, first: str
) -> None:
    save_draft(bilingual(document()), actor="operator:test")
    page = page_of(browser.get(at(draft, "part/basics/"), headers={"accept-language": language}))
    titles = [one.attributes["name"] for one in page.css("[name^='title-']")]
    assert titles == [f"title-{one}" for one in sorted(["de", "en"], key=lambda one: one != first)]
