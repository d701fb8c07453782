"""Test calls and recorded cases of a definition in the console."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from actions.definitions.expressions.expression import Expression
from actions.definitions.models import ActionDefinition, DefinitionCase
from actions.definitions.services import save_draft
from actions.models import ActionRequest, AuditEntry
from supportbot.accounts.models import Workspace
from supportbot.console.definitions.trials import TrialForm
from tests.actions.defined.conftest import admin as admin
from tests.actions.defined.conftest import agreed as agreed
from tests.actions.defined.conftest import ann as ann
from tests.actions.defined.conftest import ask_for as ask_for
from tests.actions.defined.conftest import document
from tests.actions.defined.conftest import put_in_force as put_in_force
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.console.definition_pages import ASKED, ORDER_LINE, at, fields_of, page_of, problems_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.console.definition_pages import draft as draft
from tests.pages import visible_text

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("workspace")]
Agreed = Callable[..., ActionRequest]


def test_a_write_that_could_name_any_customer_is_neither_tested_nor_published(
    browser: Client, draft: ActionDefinition, retail: LoopbackShop
) -> None:
    made = document()
    made["call"]["path"] = "/orders/{arguments.order_id}/notes/{arguments.whose}"
    made["arguments"]["whose"] = {"type": "string", "description": "The customer's number."}
    made["lookups"] = []
    made["subject"] = {"kind": "account", "id": "identity.sub"}
    made["guards"], made["risk"] = [], "change"
    texts = {"en": "Note it"}
    made["card"] = {"title": texts, "summary": texts, "button": texts}
    made = {name: one for name, one in made.items() if name not in ("money", "labels", "receipt")}
    save_draft(made, actor="operator:test")
    page = page_of(browser.get(at(draft)))
    assert "whose, Where it comes from" in visible_text(page, " ")
    assert "which comes from the chat" in visible_text(page, " ")
    tested = browser.post(at(draft, "test/"), {**ASKED, "argument-whose": "bob_ray_2"})
    assert "Add these before a test call" in visible_text(page_of(tested), " ")
    browser.post(at(draft, "publish/"), {"number": "2", "reason": "x"})
    draft.refresh_from_db()
    assert (draft.state, retail.commands) == ("draft", [])
    sent = fields_of(browser.get(at(draft, "part/arguments/")))
    rows = {
        f"arguments-{place}-from": "identity" for place in range(3) if sent.get(f"arguments-{place}-name") != "reason"
    }
    browser.post(at(draft, "part/arguments/"), {**sent, **rows})
    assert "which comes from the chat" not in visible_text(page_of(browser.get(at(draft))), " ")


@pytest.fixture
def sample_records(retail: LoopbackShop) -> str:
    return json.dumps({ORDER_LINE: retail.records.records["orders"]["#W0000001"]}, default=str)


def test_a_test_call_shows_every_step_and_stores_nothing(
    browser: Client, draft: ActionDefinition, sample_records: str, retail: LoopbackShop
) -> None:
    answer = browser.post(at(draft, "test/"), {**ASKED, "records": sample_records})
    words = visible_text(page_of(answer), " ")
    assert "Allowed" in words and "is_pending is true" in words and "Cancel order #W0000001" in words
    assert "POST /orders/%23W0000001/cancel" in words and "It was not sent." in words
    assert (retail.asked, retail.commands, DefinitionCase.objects.exists()) == ([], [], False)
    assert AuditEntry.objects.get(event="definition.tested").payload["environment"] == "sample"
    live = visible_text(page_of(browser.post(at(draft, "test/"), {**ASKED, "environment": "live"})), " ")
    assert "The call that would be sent POST /orders/%23W0000001/cancel" in live
    assert "Allowed" in live and f"{ORDER_LINE} 200" in live and retail.commands == []
    other = browser.post(at(draft, "test/"), {**ASKED, "environment": "live", "customer": "bob_ray_2"})
    words = visible_text(page_of(other), " ")
    assert "order_not_found" in words and "The owner path contains ann_lee_1, but the customer is bob_ray_2." in words
    assert "The call that would be sent" not in words and retail.commands == []


def test_a_published_version_with_a_mistake_in_types_can_still_be_tested(
    browser: Client,
    draft: ActionDefinition,
    sample_records: str,
    put_in_force: Callable[[dict[str, Any]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guard = {**document()["guards"][0], "require": "order.status == 'pending' or today + 14 > today"}
    with monkeypatch.context() as earlier:  # an earlier release did not find such mistakes
        earlier.setattr(Expression, "check_types", lambda *args, **options: None)
        put_in_force(document(guards=[guard]))
    tested = browser.post(at(draft, "test/"), {**ASKED, "records": sample_records})
    assert "Allowed" in visible_text(page_of(tested), " ")


@pytest.mark.long
def test_a_test_call_says_that_a_person_must_approve_it_and_why(
    browser: Client,
    draft: ActionDefinition,
    sample_records: str,
    workspace: Workspace,
    agreed: Agreed,
    put_in_force: Callable[[dict[str, Any]], None],
) -> None:
    def told(limits: dict[str, Any], **changes: Any) -> str:
        save_draft(document(limits=limits, **changes), actor="operator:test")
        return visible_text(page_of(browser.post(at(draft, "test/"), {**ASKED, "records": sample_records})), " ")

    assert "Its currency differs from that of the rules" in told({"approval_above": "25"})
    Workspace.objects.filter(pk=workspace.pk).update(currency="USD")
    plain = told({"approval_above": "25"})
    assert "Allowed" in plain and "a person must approve it" not in plain
    above = told({"approval_above": "20"})
    assert "Allowed; a person must approve it" in above and "$20.10 is above $20.00, the amount above which" in above
    asked = told({}, approval={"role": "supervisor"})
    assert "Allowed; a person must approve it" in asked and "because of the action's own condition" in asked
    put_in_force(document(limits={"approval_above": "25"}))
    agreed()
    summed = told({"approval_above": "25"})
    assert "Allowed; a person must approve it" in summed and "the total of $40.20 is above $25.00" in summed


def test_a_test_call_says_no_to_a_question_that_must_be_answered(
    browser: Client, draft: ActionDefinition, sample_records: str
) -> None:
    made = document()
    made["arguments"]["gift"] = {"type": "flag", "description": "Whether it was a present."}
    made["call"]["query"] = {"from": "{today}", "gift": "{arguments.gift}"}
    save_draft(made, actor="operator:test")
    asked = {**ASKED, "records": sample_records}
    unanswered = browser.post(at(draft, "test/"), {**asked, "argument-gift": ""})
    assert unanswered.status_code == 400 and "gift" in problems_of(unanswered)
    for answer, sent in (("no", False), ("yes", True)):
        page = page_of(browser.post(at(draft, "test/"), {**asked, "argument-gift": answer}))
        assert "Allowed" in visible_text(page, " ") and f"gift={str(sent).lower()}" in visible_text(page, "")
        taken = json.loads(page.css_first("[name=taken]").attributes["value"] or "")
        assert taken["arguments"]["gift"] is sent


def test_a_test_call_shows_each_value_of_a_query_as_it_is_sent(
    browser: Client, draft: ActionDefinition, retail: LoopbackShop
) -> None:
    made = document()
    made["lookups"][0]["call"]["query"] = {"to": "{today}"}
    save_draft(made, actor="operator:test")
    page = page_of(browser.post(at(draft, "test/"), {**ASKED, "environment": "live"}))
    sent = [one.text() for one in page.css("code") if one.text().startswith("to=")]
    assert len(sent) == 1 and "[" not in sent[0], sent


def test_a_test_call_suggests_a_fix_for_calculating_with_text(
    browser: Client, draft: ActionDefinition, sample_records: str
) -> None:
    guard = {**document()["guards"][0], "require": "order.order_id - order.user_id > 0"}
    save_draft(document(guards=[guard]), actor="operator:test")
    words = visible_text(page_of(browser.post(at(draft, "test/"), {**ASKED, "records": sample_records})), " ")
    assert "- does not accept text, but order.order_id is text; write number(order.order_id)" in words


def test_a_test_call_that_cannot_be_made_says_why(browser: Client, draft: ActionDefinition) -> None:
    for wrong, why in (
        ({"argument-order_id": ""}, "order_id"),
        ({"environment": "sandbox"}, "no sandbox connection named retail"),
        ({"records": "{"}, "This is not valid JSON."),
        ({"customer": ""}, "required"),
    ):
        answer = browser.post(at(draft, "test/"), {**ASKED, **wrong})
        assert answer.status_code == 400 and why in problems_of(answer), (wrong, problems_of(answer))
    missing = browser.post(at(draft, "test/"), ASKED)  # a sample without the requested answer
    assert "merchant_unavailable" in visible_text(page_of(missing), " ")


@pytest.mark.long
def test_a_case_is_recorded_from_a_test_call_edited_and_removed(
    browser: Client, draft: ActionDefinition, sample_records: str
) -> None:
    tested = browser.post(at(draft, "test/"), {**ASKED, "records": sample_records})
    taken = page_of(tested).css_first("[name=taken]").attributes["value"]
    form = browser.post(at(draft, "cases/add/"), {"taken": taken})
    browser.post(at(draft, "cases/add/"), {**fields_of(form), "name": "A pending order"})
    case = DefinitionCase.objects.get()
    assert (case.sub, case.expected, case.arguments["order_id"]) == ("ann_lee_1", "allowed", "#W0000001")
    assert "A pending order Expected: allowed Passes" in visible_text(page_of(browser.get(at(draft, "cases/"))), " ")
    page = at(draft, f"cases/{case.pk}/")
    browser.post(page, {**fields_of(browser.get(page)), "expected": "not_pending"})
    listed = visible_text(page_of(browser.get(at(draft, "cases/"))), " ")
    assert "The case expects not_pending, but the result is allowed." in listed and "Fails" in listed
    for wrong in ({"name": ""}, {"records": "["}, {"arguments": "[]"}, {"expected": "x" * 61}, {"name": "\x00"}):
        assert browser.post(page, {**fields_of(browser.get(page)), **wrong}).status_code == 400, wrong
    same = {**fields_of(browser.get(page)), "name": "A pending order"}
    assert "Another case already has this name." in problems_of(browser.post(at(draft, "cases/add/"), same))
    browser.post(page, {"remove": "1"})
    assert not DefinitionCase.objects.exists()
    assert [one.event for one in AuditEntry.objects.filter(event__startswith="definition.case").order_by("seq")] == [
        "definition.case_added", "definition.case_changed", "definition.case_removed",
    ]  # fmt: skip


@pytest.mark.parametrize("entered", ["i-1\n\n i-2 ", '["i-1", "i-2"]'])
def test_a_list_of_strings_is_entered_line_by_line(entered: str) -> None:
    made = document()
    made["arguments"] = {"item_ids": {"type": "list", "description": "Which.", "of": {"type": "string"}}}
    form = TrialForm(
        made, {"environment": "live", "customer": "ann_lee_1", "locale": "en", "argument-item_ids": entered}
    )
    assert form.is_valid() and form.arguments() == {"item_ids": ["i-1", "i-2"]}
    assert "One per line." in str(form["argument-item_ids"].help_text)


COUNTRY = {"type": "choice", "options": [{"value": "DE"}, {"value": "FR"}]}
BORN = {"type": "date", "description": "When."}
DRIVER = {"type": "object", "fields": {"name": {"type": "string"}, "born": BORN, "country": COUNTRY}}
BASIC = {"environment": "live", "customer": "c", "locale": "en"}


def trial_of(sent: dict[str, str] | None, **arguments: dict[str, Any]) -> TrialForm:
    described = {name: {"description": "What.", **one} for name, one in arguments.items()}
    return TrialForm({**document(), "arguments": described}, sent and {**BASIC, **sent})


def test_the_form_is_in_the_pages_language() -> None:
    made = document()
    made["title"] = {"de": "Fahrer", "en": "Driver"}
    assert TrialForm(made)["locale"].value() == "en"


def test_each_field_of_an_object_has_a_field() -> None:
    seats = {"type": "object", "fields": {"count": {"type": "integer"}, "is_child": {"type": "flag"}}}
    car = {"type": "object", "fields": {"plate": {"type": "string"}, "seats": seats, "colours": LIST_OF_TEXTS}}
    form = trial_of(None, car=car)
    shown = [(field.name.removeprefix("argument-"), field.label) for field in form.argument_fields()]
    assert shown == [
        ("car.plate", "car: plate"), ("car.seats.count", "car: seats: count"),
        ("car.seats.is_child", "car: seats: is_child"), ("car.colours", "car: colours"),
    ]  # fmt: skip
    sent = {"plate": "B-X 1", "seats.count": "2", "seats.is_child": "no", "colours": "red\ngreen"}
    form = trial_of({f"argument-car.{name}": value for name, value in sent.items()}, car=car)
    assert form.is_valid() and form.arguments() == {
        "car": {"plate": "B-X 1", "seats": {"count": 2, "is_child": False}, "colours": ["red", "green"]}
    }
    assert (empty := trial_of({"argument-car.plate": ""}, car=car)).is_valid() and empty.arguments() == {}


LIST_OF_TEXTS = {"type": "list", "of": {"type": "string"}}


def test_each_entry_of_a_list_of_objects_has_fields_and_an_empty_one_follows() -> None:
    drivers = {"type": "list", "of": DRIVER, "max_items": 4}
    first = {"argument-drivers.0.name": "Ann", "argument-drivers.0.born": "2001-02-03", "argument-drivers.1.name": ""}
    form = trial_of({**first, "argument-drivers.2.country": "FR"}, drivers=drivers)
    assert form.is_valid() and form.arguments() == {
        "drivers": [{"name": "Ann", "born": "2001-02-03"}, {"country": "FR"}]
    }
    labels = [field.label for field in form.argument_fields()]
    assert (labels[0], labels[-1], len(labels)) == ("drivers 1: name", "drivers 4: country", 12)
    assert len(trial_of(None, drivers=drivers).argument_fields()) == 3
    assert len(trial_of(None, drivers={**drivers, "min_items": 2}).argument_fields()) == 6
    assert len(trial_of({"argument-drivers.99.name": "x"}, drivers=drivers).argument_fields()) == 30


def test_numbers_of_a_list_are_entered_line_by_line() -> None:
    form = trial_of({"argument-days": "3\n 5"}, days={"type": "list", "of": {"type": "integer"}})
    assert form.is_valid() and form.arguments() == {"days": [3, 5]}


def test_deeper_nesting_is_entered_as_json() -> None:
    inner: dict[str, Any] = {"type": "object", "fields": {"x": {"type": "integer"}}}
    for _ in range(2):
        inner = {"type": "object", "fields": {"in": inner}}
    [field] = trial_of(None, deep=inner).argument_fields()
    assert field.name == "argument-deep.in.in" and 'As JSON, such as {"x": 1}' in str(field.help_text)
    form = trial_of({"argument-deep.in.in": '{"x": 2}'}, deep=inner)
    assert form.is_valid() and form.arguments() == {"deep": {"in": {"in": {"x": 2}}}}


def test_a_mistake_in_an_object_is_shown_next_to_its_field(browser: Client, retail: LoopbackShop) -> None:
    made = document()
    made["arguments"]["driver"] = {**DRIVER, "description": "Who.", "names_no_record": True}
    made["call"]["body"] = {"driver": "{arguments.driver}"}
    saved = save_draft(made, actor="operator:test").definition
    sent = {**ASKED, "argument-driver.name": "Ann", "argument-driver.country": "DE", "argument-driver.born": "tomorrow"}
    answer = browser.post(at(saved, "test/"), sent)
    wrong = page_of(answer).css_first('[id="id_argument-driver.born_error"]')
    assert wrong is not None and "Enter a date such as" in wrong.text()
