"""The pages of a definition's parts: what they show at first, and their examples."""

from typing import Any

import pytest
from django.test import Client

from actions.definitions import selectors, services
from actions.definitions.expressions.expression import compile_expression
from actions.definitions.import_and_export import import_text
from actions.definitions.importing.mcp import read_tools
from actions.definitions.models import ActionDefinition
from actions.definitions.services import save_draft
from supportbot.console.definitions.form_layout import PARTS
from tests.actions.defined.conftest import bilingual, document, record_a_case
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.definitions.test_kind_change import SEATS
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


@pytest.mark.long
def test_an_argument_shows_the_fields_of_its_type_and_the_others_further_down(
    browser: Client, draft: ActionDefinition
) -> None:
    made = bilingual(document())
    save_draft(made, actor="operator:test")
    page = page_of(browser.get(at(draft, "part/arguments/")))
    rows = {row.css_first("input[name$='-name']").attributes.get("value"): row for row in page.css("details.folded")}  # type: ignore[union-attr]
    hidden = {one.attributes["name"] for one in rows["order_id"].css("details details [name]")}
    assert {name.split("-")[2] for name in hidden if name} == {
        "options", "minimum", "maximum", "min_items", "max_items", "of", "fields", "value", "may_be_empty",
        "choose_from",
    }  # fmt: skip
    further = [one.attributes["name"] or "" for one in rows["reason"].css("details details [name]")]
    assert not any(name.split("-")[2] == "options" for name in further)
    # Rare, but shown since it has a value.
    assert rows["order_id"].css_first("details details [name$='-pattern']") is None


@pytest.mark.long
def test_the_only_argument_is_open(browser: Client, draft: ActionDefinition) -> None:
    def opened() -> list[bool]:
        page = page_of(browser.get(at(draft, "part/arguments/")))
        return ["open" in row.attributes for row in page.css("details.folded")]

    assert opened() == [False, False, False]
    made = document()
    begun = {name: made[name] for name in ("format", "name", "title", "summary") if name in made}
    save_draft(begun | {"arguments": {}}, actor="operator:test")
    assert opened() == [True]
    save_draft(begun | {"arguments": {"reason": made["arguments"]["reason"]}}, actor="operator:test")
    assert opened() == [True, False]


@pytest.mark.long
def test_languages_are_shown_by_name(browser: Client, draft: ActionDefinition) -> None:
    save_draft(bilingual(document()), actor="operator:test")
    basics = page_of(browser.get(at(draft, "part/basics/")))
    assert "Title, German" in visible_text(basics, " ") and "Title, de" not in visible_text(basics, " ")
    arguments = visible_text(page_of(browser.get(at(draft, "part/arguments/"))), " ")
    assert "Label , German" in arguments and "Label , de" not in arguments
    options = page_of(browser.get(at(draft, "test/"))).css("[name=locale] option")
    assert {option.text().strip() for option in options} == {"English", "German"}


@pytest.mark.long
def test_each_argument_is_one_line_until_it_is_opened(browser: Client, draft: ActionDefinition) -> None:
    made = document()
    made["arguments"]["note"] = {"type": "list", "from": "model", "required": False, "description": "x"}
    save_draft(made, actor="operator:test")
    page = page_of(browser.get(at(draft, "part/arguments/")))
    lines = [visible_text(row.css_first("summary"), " ") for row in page.css("details.folded")]
    assert lines == [
        "order_id · Text · The customer provides it · required",
        "reason · One of several options · The customer provides it · required",
        "note · List · The assistant may choose it · optional",
        "Argument 4, new",
    ]
    assert ["open" in row.attributes for row in page.css("details.folded")] == [
        False,
        False,
        True,
        False,
    ]  # the argument lacks "of"


@pytest.mark.long
def test_a_row_with_a_mistake_is_open(browser: Client, draft: ActionDefinition) -> None:
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    refused = browser.post(address, {**sent, "arguments-0-pattern": "(("})
    assert refused.status_code == 400
    rows = page_of(refused).css("details.folded")
    assert ["open" in row.attributes for row in rows] == [True, False, False]


def reason_of(draft: ActionDefinition) -> dict[str, Any]:
    found: dict[str, Any] = draft.versions.order_by("-number")[0].document["arguments"]["reason"]
    return found


def options_field(sent: dict[str, Any]) -> str:
    """Return the name of the first option's value in the form of the argument that has options."""
    return next(name for name in sent if name.endswith("-options-0") and sent[name])


@pytest.mark.long
def test_options_are_edited_in_rows(browser: Client, draft: ActionDefinition) -> None:
    save_draft(bilingual(document()), actor="operator:test")
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    first = options_field(sent)[:-2]
    assert browser.post(address, sent).status_code == 302 and draft.versions.count() == 2  # nothing was changed
    rows = {f"{first}-0": "S", f"{first}-0-de": "Klein", f"{first}-0-en": "Small | narrow", f"{first}-1": ""}
    rows |= {f"{first}-1-de": "", f"{first}-1-en": "", f"{first}-2": " 10:30 "}
    saved = browser.post(address, {**sent, **rows}, follow=True)
    options = [{"value": "S", "label": {"de": "Klein", "en": "Small | narrow"}}, {"value": "10:30"}]
    assert reason_of(draft)["options"] == options
    assert "Some options of reason lack a label" in visible_text(page_of(saved), " ")


@pytest.mark.long
def test_a_label_without_a_value_is_refused(browser: Client, draft: ActionDefinition) -> None:
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    refused = browser.post(address, {**sent, options_field(sent): ""})
    assert refused.status_code == 400 and draft.versions.count() == 1
    assert "Enter the value of the option with the label I no longer need it." in problems_of(refused)


@pytest.mark.long
def test_the_options_of_a_list_are_edited_in_rows(browser: Client, draft: ActionDefinition) -> None:
    made = document()
    extras = {"type": "choice", "options": [{"value": "bf", "label": {"en": "Breakfast"}}]}
    made["arguments"]["extras"] = {"type": "list", "description": "x", "max_items": 2, "of": extras}
    save_draft(made, actor="operator:test")
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    field = next(name for name in sent if sent[name] == "bf").removesuffix("0") + "1"
    browser.post(address, {**sent, field: "park", f"{field}-en": "Parking"})
    extras["options"].append({"value": "park", "label": {"en": "Parking"}})  # type: ignore[attr-defined]
    assert draft.versions.order_by("-number")[0].document["arguments"]["extras"] == made["arguments"]["extras"]


def test_a_mistake_in_types_is_reported_on_save(browser: Client, draft: ActionDefinition) -> None:
    address = at(draft, "part/guards/")
    sent = fields_of(browser.get(address))
    refused = browser.post(address, {**sent, "guards-0-require": "arguments.reason == 'x' or today + 14 > today"})
    assert refused.status_code == 400 and draft.versions.count() == 1
    error = page_of(refused).css_first("#id_guards-0-require_error")
    assert error is not None and "write days(28) for a number of days" in error.text()


def test_the_pages_of_a_version_stored_with_a_type_mistake_still_open(
    browser: Client, draft: ActionDefinition, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_a_case(draft.versions.get())
    monkeypatch.setattr(services, "check_draft", lambda document: None)  # stored as an earlier release would have
    guard = {**document()["guards"][0], "require": "order.status != '' or today + 14 > today"}
    save_draft(document(guards=[guard]), actor="operator:test")
    assert browser.get(at(draft, "cases/")).status_code == 200
    page = page_of(browser.get(at(draft, "publish/")))
    assert "write days(28)" in visible_text(page, " ") and "Publish version" not in page.text()


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("language", "first"), [("en", "en"), ("de", "de"), ("fr", "de")])
def test_the_language_of_the_page_comes_first(
    browser: Client, draft: ActionDefinition, language: str, first: str
) -> None:
    save_draft(bilingual(document()), actor="operator:test")
    page = page_of(browser.get(at(draft, "part/basics/"), headers={"accept-language": language}))
    titles = [one.attributes["name"] for one in page.css("[name^='title-']")]
    assert titles == [f"title-{one}" for one in sorted(["de", "en"], key=lambda one: one != first)]


SIZE: dict[str, Any] = {
    "type": "choice", "label": {"en": "Size"},
    "options": [{"value": "S", "label": {"en": "Small"}}, {"value": "L", "label": {"en": "Large"}}],
}  # fmt: skip
INSIDE: dict[str, Any] = {
    "sku": {"type": "string", "pattern": "[A-Z]{3}"},
    "size": SIZE,
    "maker": {"type": "object", "required": False, "fields": {"city": {"type": "string"}}},
}


def with_fields(*, is_list: bool) -> dict[str, Any]:
    """Return a document with an argument of several fields, or with a list of such objects."""
    made = document()
    of = {"type": "object", "fields": INSIDE}
    made["arguments"]["goods"] = {"description": "x", **({"type": "list", "of": of} if is_list else of)}
    return made


@pytest.mark.long
@pytest.mark.parametrize(("is_list", "at_path"), [(False, "fields"), (True, "of-fields")])
def test_the_fields_of_an_object_are_edited_in_rows(
    browser: Client, draft: ActionDefinition, is_list: bool, at_path: str
) -> None:
    save_draft(with_fields(is_list=is_list), actor="operator:test")
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    name = next(one for one in sent if sent[one] == "sku" and one.endswith("-key")).removesuffix("-0-key")
    assert name.endswith(at_path)
    assert browser.post(address, sent).status_code == 302 and draft.versions.count() == 2  # nothing was changed
    changed = {
        f"{name}-0-key": "item", f"{name}-0-label-en": "Item", f"{name}-1-key": "", f"{name}-1-label-en": "",
        f"{name}-3-key": "count", f"{name}-3-type": "integer",
    }  # fmt: skip
    assert browser.post(address, {**sent, **changed}).status_code == 302
    goods = draft.versions.order_by("-number")[0].document["arguments"]["goods"]
    found = goods["of"]["fields"] if is_list else goods["fields"]
    assert found == {
        "item": INSIDE["sku"] | {"label": {"en": "Item"}}, "maker": INSIDE["maker"], "count": {"type": "integer"}
    }  # fmt: skip


def test_a_field_whose_type_changes_loses_the_settings_of_the_old_type(
    browser: Client, draft: ActionDefinition
) -> None:
    save_draft(with_fields(is_list=False), actor="operator:test")
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    name = next(one for one in sent if sent[one] == "size" and one.endswith("-key")).removesuffix("-key")
    assert browser.post(address, {**sent, f"{name}-type": "flag"}).status_code == 302
    found = draft.versions.order_by("-number")[0].document["arguments"]["goods"]["fields"]
    assert found["size"] == {"type": "flag", "label": {"en": "Size"}}


@pytest.mark.long
@pytest.mark.parametrize(
    ("entered", "told"),
    [
        ({"1-key": ""}, "Enter the name of the field with the label Size."),
        ({"1-key": "sku"}, "Two fields are called sku."),
    ],
)
def test_a_field_without_a_name_of_its_own_is_refused(
    browser: Client, draft: ActionDefinition, entered: dict[str, str], told: str
) -> None:
    save_draft(with_fields(is_list=False), actor="operator:test")
    address = at(draft, "part/arguments/")
    sent = fields_of(browser.get(address))
    name = next(one for one in sent if sent[one] == "sku" and one.endswith("-key")).removesuffix("0-key")
    refused = browser.post(address, {**sent, **{f"{name}{key}": value for key, value in entered.items()}})
    assert refused.status_code == 400 and draft.versions.count() == 2
    assert told in problems_of(refused) and "sku" in fields_of(refused).values()


@pytest.mark.long
def test_a_warning_appears_next_to_its_own_part_and_is_counted_on_the_overview(
    browser: Client, draft: ActionDefinition
) -> None:
    made = document()
    made["answer"]["did_not"] = "status >= 400"
    save_draft(made, actor="operator:test")
    warned = "treats a server error as proof"
    assert warned in visible_text(page_of(browser.get(at(draft, "part/answer/"))), " ")
    for page in ("part/basics/", "part/card/", "versions/", "cases/", "test/"):
        assert warned not in visible_text(page_of(browser.get(at(draft, page))), " "), page
    overview = browser.get(at(draft))
    [row] = [one for one in page_of(overview).css("li.row") if "to check" in visible_text(one)]
    assert "Response and outcome" in visible_text(row, " ") and "1 to check" in visible_text(row, " ")
    link = page_of(browser.get(at(draft, "publish/"))).css_first(".notice.warn a")
    assert link is not None and link.attributes["href"] == at(draft, "part/answer/") + "#id_answer-did_not"
    sent = fields_of(browser.get(at(draft, "part/answer/")))
    browser.post(at(draft, "part/answer/"), {**sent, "answer-did_not": "status == 404"})
    assert warned not in visible_text(page_of(browser.get(at(draft, "part/answer/"))), " ")
    assert "to check" not in visible_text(page_of(browser.get(at(draft))), " ")


KEYED = """
openapi: 3.1.0
info: {title: A garage, version: "1"}
paths:
  /visits:
    post:
      operationId: book
      parameters: [{name: Idempotency-Key, in: header, schema: {type: string}}]
      responses: {"200": {description: ok}}
"""


def test_the_hint_to_send_again_disappears_once_it_is_followed(browser: Client, retail: LoopbackShop) -> None:
    import_text(KEYED, actor="operator:test", connection="retail")
    book = ActionDefinition.objects.get(name="book")
    page = browser.get(at(book, "part/answer/"))
    assert "(replay_safe)" in visible_text(page_of(page), " ")
    assert "(replay_safe)" not in visible_text(page_of(browser.get(at(book))), " ")
    browser.post(at(book, "part/answer/"), {**fields_of(page), "outcome-kind": "replay_safe"})
    assert "(replay_safe)" not in visible_text(page_of(browser.get(at(book, "part/answer/"))), " ")


@pytest.mark.long
def test_the_kind_is_chosen_in_the_form(browser: Client, draft: ActionDefinition) -> None:
    page = browser.get(at(draft, "part/basics/"))
    assert fields_of(page)["kind"] == "write"
    answer = browser.post(at(draft, "part/basics/"), {**fields_of(page), "kind": "read"}, follow=True)
    made = selectors.newest_version(draft).document
    assert (made["kind"], made["lookups"][-1]["call"]["method"]) == ("read", "POST")
    assert "call" not in made and "Result" in visible_text(page_of(answer), " ")
    back = {**fields_of(browser.get(at(draft, "part/basics/"))), "kind": "write"}
    browser.post(at(draft, "part/basics/"), back)
    assert selectors.newest_version(draft).document["kind"] == "write"


def test_a_call_that_deletes_cannot_become_a_look_up(browser: Client, draft: ActionDefinition) -> None:
    made = document()
    made["call"]["method"] = "DELETE"
    made["call"].pop("body", None)
    save_draft(made, actor="operator:test")
    sent = {**fields_of(browser.get(at(draft, "part/basics/"))), "kind": "read"}
    answer = browser.post(at(draft, "part/basics/"), sent)
    assert answer.status_code == 400 and "call is a DELETE" in problems_of(answer)
    assert selectors.newest_version(draft).document["kind"] == "write"


def test_a_tool_that_only_reads_becomes_a_look_up_with_one_tick(browser: Client, retail: LoopbackShop) -> None:
    (tool,) = read_tools({"tools": [SEATS]}, "retail").drafts
    imported = {"source": tool.source, "suggestions": tool.suggestions}
    seats = save_draft(tool.document, actor="operator:test", origin="mcp", imported=imported).definition
    page = browser.get(at(seats, "part/basics/"))
    assert "It looks something up" in visible_text(page_of(page).css_first("q"))
    browser.post(at(seats, "part/basics/"), {**fields_of(page), "take": "kind"})
    assert selectors.newest_version(seats).document["lookups"][0]["call"]["tool"] == "find_seats"
