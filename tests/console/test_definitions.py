"""Definitions in the console: created, edited in forms and as JSON, tested, recorded as cases and published."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser, LexborNode

from actions.definitions import services
from actions.definitions.models import ActionDefinition, DefinitionCase
from actions.definitions.services import newest_version, save_draft
from actions.models import ActionPolicy, ActionRequest, AuditEntry
from actions.testing import run_queued
from supportbot import trying
from supportbot.accounts.models import User, Workspace
from tests.actions.connections.tool_servers import ToldServer
from tests.actions.defined.conftest import CANCEL, bilingual, document, record_a_case
from tests.actions.defined.conftest import admin as admin
from tests.actions.defined.conftest import agreed as agreed
from tests.actions.defined.conftest import ann as ann
from tests.actions.defined.conftest import ask_for as ask_for
from tests.actions.defined.conftest import put_in_force as put_in_force
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.test_tools import told as told
from tests.console.conftest import Enter, logged_in, person
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
ACTIONS = "/admin/actions/actiondefinition/"
NAME = "cancel_pending_order"
Agreed = Callable[..., ActionRequest]


@pytest.fixture
def dora(workspace: Workspace) -> User:
    return person(workspace, "admin", "dora.admin")


@pytest.fixture
def browser(dora: User) -> Client:
    return logged_in(dora)


@pytest.fixture
def draft(retail: LoopbackShop) -> ActionDefinition:
    return save_draft(document(), actor="operator:test").definition


def page_of(answer: Any) -> LexborNode:
    main = LexborHTMLParser(answer.content.decode()).css_first("main")
    assert main is not None
    return main


def at(definition: ActionDefinition, page: str = "change/") -> str:
    return f"{ACTIONS}{definition.pk}/{page}"


def fields_of(answer: Any) -> dict[str, Any]:
    """Return the fields of a page's form as a browser would send them."""
    found: dict[str, Any] = {}
    form = page_of(answer).css("form")[-1]
    for field in form.css("input[name], textarea[name], select[name]"):
        name, kind = field.attributes["name"] or "", field.attributes.get("type")
        if kind in ("checkbox", "radio"):
            if "checked" in field.attributes:
                found[name] = field.attributes.get("value") or "on"
        elif field.tag == "select":
            chosen = field.css_first("option[selected]")
            found[name] = (chosen.attributes.get("value") or "") if chosen else ""
        else:
            found[name] = field.text() if field.tag == "textarea" else field.attributes.get("value") or ""
    return {name: value.lstrip("\n") for name, value in found.items() if name not in ("csrfmiddlewaretoken", "take")}


def problems_of(answer: Any) -> str:
    return " ".join(visible_text(one) for one in page_of(answer).css(".err, .notice.bad"))


PARTS = ("basics", "arguments", "lookups", "guards", "labels", "money", "call", "answer", "card", "receipt", "limits")


@pytest.mark.parametrize("part", PARTS)
def test_saving_a_form_unchanged_changes_nothing(browser: Client, draft: ActionDefinition, part: str) -> None:
    page = browser.get(at(draft, f"part/{part}/"))
    assert page.status_code == 200
    answer = browser.post(at(draft, f"part/{part}/"), fields_of(page), follow=True)
    assert "Nothing was changed." in visible_text(page_of(answer)), problems_of(answer)
    assert draft.versions.count() == 1


def test_the_list_shows_existing_and_missing_parts(browser: Client, draft: ActionDefinition) -> None:
    save_draft({**document(), "name": "other", "card": None}, actor="operator:test")
    words = visible_text(page_of(browser.get(ACTIONS)), " ")
    assert "Cancel an order" in words and "Draft" in words and "retail" in words
    assert "Built-in actions" in words and "refund_order" in words
    assert "other" in visible_text(page_of(browser.get(f"{ACTIONS}?q=other")), " ")
    assert "cancel_pending" not in visible_text(page_of(browser.get(f"{ACTIONS}?state=published")), " ")


def test_an_empty_definition_is_created_and_lists_what_is_missing(browser: Client, retail: LoopbackShop) -> None:
    sent = {
        "do": "empty", "empty-name": "wrap_order", "empty-kind": "write", "empty-language": "en",
        "empty-title": "Gift-wrap an order", "empty-connection": "retail",
    }  # fmt: skip
    answer = browser.post(f"{ACTIONS}add/", sent, follow=True)
    made = ActionDefinition.objects.get(name="wrap_order")
    words = visible_text(page_of(answer), " ")
    assert "What is missing" in words and "Basics, Description" in words and "Call, Method" in words
    links = {link.attributes["href"] for link in page_of(answer).css("section ul.plain a")}
    assert at(made, "part/basics/") + "#id_description-en" in links
    for link in links:
        address, _, anchor = (link or "").partition("#")
        assert f'id="{anchor}"' in browser.get(address).content.decode(), link
    assert browser.post(f"{ACTIONS}add/", sent).status_code == 400  # the name is taken
    assert made.versions.count() == 1


def test_a_copy_has_another_name(browser: Client, draft: ActionDefinition) -> None:
    browser.post(f"{ACTIONS}add/", {"do": "copy", "copy-source": NAME, "copy-name": "cancel_two"})
    made = ActionDefinition.objects.get(name="cancel_two")
    assert newest_version(made).document == {**document(), "name": "cancel_two"}


def test_a_definition_is_imported_from_a_file(browser: Client, retail: LoopbackShop) -> None:
    browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(document())})
    assert newest_version(ActionDefinition.objects.get(name=NAME)).document == document()
    for wrong in ("", "{", json.dumps({**document(), "kind": "dance"}), "[1]"):
        answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": wrong})
        assert answer.status_code == 400 and problems_of(answer), wrong


OPENAPI = {
    "openapi": "3.0.3",
    "info": {"title": "Shop", "version": "1"},
    "servers": [{"url": "https://shop.example/v1"}],
    "paths": {
        f"/things{n}/{{id}}": {"post": {"operationId": f"doThing{n}", "summary": f"Does <b>thing</b> {n}",
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"},
                            "description": "Which thing"}]}}
        for n in range(300)
    },
}  # fmt: skip


def test_operations_of_an_openapi_file_are_searched_selected_and_imported(
    browser: Client, retail: LoopbackShop
) -> None:
    sent = {"do": "file", "file-text": json.dumps(OPENAPI), "file-connection": "retail"}
    answer = browser.post(f"{ACTIONS}add/", sent, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    words = visible_text(page_of(answer), " ")
    assert "300 operations" in words and "100 of them are not listed" in words and "https://shop.example/v1" in words
    assert "Address https://shop.example/v1" in " ".join(words.split()) and "base_url" not in words
    assert "<b>thing</b>" not in page_of(answer).html
    told = {name: values[0] for name, values in parse_qs(query).items()}
    found = browser.post(address, {**told, "q": "do_thing299", "pick": ["do_thing7", "do_thing8"], "search": "1"})
    assert [one.attributes["value"] for one in page_of(found).css("[name=pick]")] == ["do_thing299"]
    assert page_of(found).css_first("[name=kept]").attributes["value"] == "do_thing7 do_thing8"
    browser.post(address, {**told, "kept": "do_thing7 do_thing8", "pick": "do_thing299", "import": "1"})
    made = {one.name for one in ActionDefinition.objects.all()}
    assert made == {"do_thing7", "do_thing8", "do_thing299"} and retail.asked == []


def test_a_draft_says_that_its_customer_is_the_signed_in_one_and_that_can_be_changed(
    browser: Client, retail: LoopbackShop
) -> None:
    parameter = {"name": "customerId", "in": "query", "schema": {"type": "string"}}
    file = {**OPENAPI, "paths": {"/pauses": {"post": {"operationId": "pause", "parameters": [parameter]}}}}
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(file)}, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    told = {name: values[0] for name, values in parse_qs(query).items()}
    browser.post(address, {**told, "pick": "pause", "import": "1"})
    draft = ActionDefinition.objects.get()
    words = visible_text(page_of(browser.get(at(draft))), " ")
    assert "Check before publishing" in words and "customer_id: always the id of the signed-in customer" in words
    sent = fields_of(browser.get(at(draft, "part/arguments/")))
    assert (sent["arguments-0-name"], sent["arguments-0-from"]) == ("customer_id", "identity")
    browser.post(at(draft, "part/arguments/"), {**sent, "arguments-0-from": "model"})
    assert newest_version(draft).document["arguments"]["customer_id"] == {"type": "string", "from": "model"}


def test_every_operation_can_be_selected_at_once(browser: Client, retail: LoopbackShop) -> None:
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(OPENAPI)}, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    told = {name: values[0] for name, values in parse_qs(query).items()}
    all_of_them = fields_of(browser.post(address, {**told, "all": "1"}))
    assert len(all_of_them["kept"].split()) == 100
    none = browser.post(address, {**told, "none": "1"})
    assert page_of(none).css("[name=pick][checked]") == []


def test_an_argument_gets_a_label_in_each_language(browser: Client, retail: LoopbackShop) -> None:
    made = save_draft(bilingual(document()), actor="operator:test").definition
    sent = fields_of(browser.get(at(made, "part/arguments/")))
    row = "arguments-0" if sent["arguments-0-name"] == "reason" else "arguments-1"
    label = {"en": "Reason", "de": "Grund"}
    written = {f"{row}-label-{locale}": text for locale, text in label.items()}
    assert written.keys() <= sent.keys()
    browser.post(at(made, "part/arguments/"), {**sent, **written})
    assert newest_version(made).document["arguments"]["reason"]["label"] == label
    again = fields_of(browser.get(at(made, "part/arguments/")))
    assert written.items() <= again.items()


def test_a_files_texts_are_accepted_where_they_are_selected(browser: Client, retail: LoopbackShop) -> None:
    save = services.save_draft
    made = save(
        {"format": 1, "name": "do_thing", "title": {"en": "Do"}, "arguments": {"id": {"type": "string"}}},
        actor="t", origin="openapi",
        imported={"source": "POST /x", "suggestions": {"arguments.id.description": "Which thing"}, "notes": ["A note"]},
    ).definition  # fmt: skip
    assert "A note" in visible_text(page_of(browser.get(at(made))), " ")
    page = browser.get(at(made, "part/arguments/"))
    assert "Which thing" in visible_text(page_of(page), " ")
    sent = fields_of(page)
    assert sent["arguments-0-description"] == ""
    browser.post(at(made, "part/arguments/"), {**sent, "take": "arguments-0-description"})
    stored = newest_version(made).document
    assert stored["arguments"]["id"] == {"type": "string", "description": "Which thing"}
    again = browser.get(at(made, "part/arguments/"))  # the texts are still available after saving
    assert "Which thing" in visible_text(page_of(again), " ")


def test_parts_are_edited_and_each_save_is_a_version(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/guards/")))
    row = {
        "guards-1-name": "not_big", "guards-1-require": "len(order.items) < 99", "guards-1-code": "too_big",
        "guards-1-words-en": "Order {order.order_id} is too big.", "reason": "Big orders go by phone",
    }  # fmt: skip
    browser.post(at(draft, "part/guards/"), {**sent, **row})
    stored = newest_version(draft)
    assert (stored.number, stored.document["guards"][1]) == (
        2,
        {"name": "not_big", "require": "len(order.items) < 99", "code": "too_big",
         "words": {"en": "Order {order.order_id} is too big."}},
    )  # fmt: skip
    assert {**stored.document, "guards": stored.document["guards"][:1]} == document()
    assert AuditEntry.objects.get(event="definition.saved", payload__version=2).payload["reason"] == row["reason"]
    assert "Big orders go by phone" in visible_text(page_of(browser.get(at(draft))), " ")
    differing = page_of(browser.get(at(draft, "versions/")))
    assert "too_big" in " ".join(one.text() for one in differing.css("td.add"))
    sent = fields_of(browser.get(at(draft, "part/guards/")))
    browser.post(at(draft, "part/guards/"), {**sent, "guards-1-remove": "on"})
    assert newest_version(draft).document == document()


def test_errors_are_shown_at_their_fields_and_the_input_is_kept(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/guards/")))
    answer = browser.post(at(draft, "part/guards/"), {**sent, "guards-0-require": "ordr.status == 'x'"})
    field = page_of(answer).css_first("[name=guards-0-require]")
    assert answer.status_code == 400 and field.text().strip() == "ordr.status == 'x'"
    assert "Do you mean order?" in problems_of(answer)
    answer = browser.post(
        at(draft, "part/call/"), {**fields_of(browser.get(at(draft, "part/call/"))), "call-body": "{"}
    )
    assert "This is not valid JSON." in problems_of(answer)
    assert draft.versions.count() == 1


@pytest.mark.parametrize(
    ("part", "wrong", "link"),
    [
        (
            "guards",
            {"guards-2-name": "late", "guards-2-require": "arrival in more"},
            ("Guard 3: Condition", "#id_guards-2-require"),
        ),
        ("arguments", {"arguments-1-name": "a b"}, ("Argument 2: Name", "#id_arguments-1-name")),
        ("limits", {"limits-approval_above": "abc"}, ("Approval required above", "#id_limits-approval_above")),
        ("call", {"call-path": "orders"}, ("Path", "#id_call-path")),
        ("lookups", {"lookups-0-owner": "order."}, ("Look-up 1: Owner", "#id_lookups-0-owner")),
        ("card", {"card-rows-0-value": "order."}, ("Row of the card 1: Value", "#id_card-rows-0-value")),
    ],
)
def test_the_error_box_names_and_links_each_wrong_field(
    browser: Client, draft: ActionDefinition, part: str, wrong: dict[str, str], link: tuple[str, str]
) -> None:
    sent = fields_of(browser.get(at(draft, f"part/{part}/")))
    box = page_of(browser.post(at(draft, f"part/{part}/"), {**sent, **wrong})).css_first("#form-errors")
    links = [(visible_text(one), one.attributes["href"]) for one in box.css("a")]
    assert links == [link] and "Box(" not in visible_text(box)


def test_a_write_that_anybody_could_be_named_in_is_neither_tested_nor_published(
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
    assert "it could be somebody else's" in visible_text(page, " ")
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
    assert "it could be somebody else's" not in visible_text(page_of(browser.get(at(draft))), " ")


def test_arguments_stay_in_the_order_in_which_they_were_entered(browser: Client, draft: ActionDefinition) -> None:
    entered = [*document()["arguments"], "zip", "a_much_longer_name"]
    for name in entered[2:]:
        sent = fields_of(browser.get(at(draft, "part/arguments/")))
        place = next(key for key, value in sent.items() if key.endswith("-name") and not value).removesuffix("-name")
        row = {"name": name, "type": "string", "description": "More.", "required": ""}
        given = {f"{place}-{key}": value for key, value in row.items() if value}
        browser.post(at(draft, "part/arguments/"), {**sent, **given})
    sent = fields_of(browser.get(at(draft, "part/arguments/")))
    assert [value for key, value in sent.items() if key.endswith("-name") and value] == entered
    assert list(json.loads(fields_of(browser.get(at(draft, "document/")))["text"])["arguments"]) == entered
    asked = [one.attributes["name"] for one in page_of(browser.get(at(draft, "test/"))).css("[name^=argument-]")]
    assert asked == [f"argument-{name}" for name in entered]


def test_an_argument_is_renamed_everywhere_at_once(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/arguments/")))
    place = next(name for name, value in sent.items() if value == "order_id")
    answer = browser.post(at(draft, "part/arguments/"), {**sent, place: "number"}, follow=True)
    assert "Saved as version 2." in visible_text(page_of(answer), " "), problems_of(answer)
    stored = newest_version(draft).document
    assert "number" in stored["arguments"] and "arguments.order_id" not in json.dumps(stored)
    assert stored["lookups"][0]["call"]["path"] == "/orders/{arguments.number}"


def test_an_argument_that_is_still_used_is_not_removed_and_the_page_says_where(
    browser: Client, draft: ActionDefinition
) -> None:
    sent = fields_of(browser.get(at(draft, "part/arguments/")))
    place = next(name for name, value in sent.items() if value == "reason").removesuffix("-name")
    answer = browser.post(at(draft, "part/arguments/"), {**sent, f"{place}-remove": "on"})
    box = page_of(answer).css_first("#form-errors")
    links = {visible_text(one): one.attributes["href"] for one in box.css("a")}
    assert links["Call, Body"] == at(draft, "part/call/") + "#id_call-body"
    assert "reason is still used elsewhere." in problems_of(answer) and draft.versions.count() == 1
    save_draft({**document(), "call": {**document()["call"], "body": None},
                "card": {**document()["card"], "rows": []}}, actor="operator:test")  # fmt: skip
    sent = fields_of(browser.get(at(draft, "part/arguments/")))
    browser.post(at(draft, "part/arguments/"), {**sent, f"{place}-remove": "on"})
    assert list(newest_version(draft).document["arguments"]) == ["order_id"]


def test_a_language_is_added_and_then_missing_everywhere(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/basics/")))
    browser.post(at(draft, "part/basics/"), {**sent, "new_language": "de", "new_title": "Bestellung stornieren"})
    assert newest_version(draft).document["title"]["de"] == "Bestellung stornieren"
    words = visible_text(page_of(browser.get(at(draft))), " ")
    assert "Card, Summary, de" in words and "Guards, Guard 1" in words
    assert "card-summary-de" in fields_of(browser.get(at(draft, "part/card/")))


def test_the_document_and_the_forms_edit_the_same_draft(browser: Client, draft: ActionDefinition) -> None:
    changed = document(undo="other_action")
    sent = fields_of(browser.get(at(draft, "document/")))
    assert json.loads(sent["text"]) == document()
    browser.post(at(draft, "document/"), {**sent, "text": json.dumps(changed), "reason": "Undo"})
    assert fields_of(browser.get(at(draft, "part/basics/")))["undo-action"] == "other_action"
    for wrong in ("{", "[]", json.dumps({**changed, "name": "else"}), json.dumps({**changed, "kid": 1}), "[" * 5000):
        now = fields_of(browser.get(at(draft, "document/")))
        answer = browser.post(at(draft, "document/"), {**now, "text": wrong})
        assert answer.status_code == 400 and problems_of(answer), wrong[:20]
    assert draft.versions.count() == 2


def test_a_colleagues_newer_version_is_not_overwritten(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "document/")))
    save_draft(document(undo="theirs"), actor="user:x")
    mine = {**sent, "text": json.dumps(document(undo="mine"))}
    answer = browser.post(at(draft, "document/"), mine)
    assert "Version 2 has been saved in the meantime" in problems_of(answer)
    assert newest_version(draft).document["undo"] == "theirs"
    browser.post(at(draft, "document/"), {**fields_of(answer)})
    assert newest_version(draft).document["undo"] == "mine"


ORDER_LINE = "GET /orders/%23W0000001"
ASKED = {
    "customer": "ann_lee_1", "locale": "en", "argument-order_id": "#W0000001", "argument-reason": "no longer needed",
    "environment": "sample", "records": "",
}  # fmt: skip


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
    assert "order_not_found" in words and "The owner path holds ann_lee_1, the customer is bob_ray_2." in words
    assert "The call that would be sent" not in words and retail.commands == []


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

    assert "Its currency is not that of the rules" in told({"approval_above": "25"})
    Workspace.objects.filter(pk=workspace.pk).update(currency="USD")
    plain = told({"approval_above": "25"})
    assert "Allowed" in plain and "a person must approve it" not in plain
    above = told({"approval_above": "20"})
    assert "Allowed; a person must approve it" in above and "$20.10 is above $20.00, the amount above which" in above
    asked = told({}, approval={"role": "supervisor"})
    assert "Allowed; a person must approve it" in asked and "The action's own condition asks for it" in asked
    put_in_force(document(limits={"approval_above": "25"}))
    agreed()
    summed = told({"approval_above": "25"})
    assert "Allowed; a person must approve it" in summed and "it is $40.20: above $25.00" in summed


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


def test_a_test_call_says_what_to_write_where_a_text_is_calculated_with(
    browser: Client, draft: ActionDefinition, sample_records: str
) -> None:
    guard = {**document()["guards"][0], "require": "order.order_id - order.user_id > 0"}
    save_draft(document(guards=[guard]), actor="operator:test")
    words = visible_text(page_of(browser.post(at(draft, "test/"), {**ASKED, "records": sample_records})), " ")
    assert "- takes no text: order.order_id is text; write number(order.order_id)" in words


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
    assert "It expects not_pending, but the definition says allowed." in listed and "Fails" in listed
    for wrong in ({"name": ""}, {"records": "["}, {"arguments": "[]"}, {"expected": "x" * 61}, {"name": "\x00"}):
        assert browser.post(page, {**fields_of(browser.get(page)), **wrong}).status_code == 400, wrong
    same = {**fields_of(browser.get(page)), "name": "A pending order"}
    assert "Another case has this name." in problems_of(browser.post(at(draft, "cases/add/"), same))
    browser.post(page, {"remove": "1"})
    assert not DefinitionCase.objects.exists()
    assert [one.event for one in AuditEntry.objects.filter(event__startswith="definition.case").order_by("seq")] == [
        "definition.case_added", "definition.case_changed", "definition.case_removed",
    ]  # fmt: skip


def test_a_second_person_publishes_an_action_that_writes(
    browser: Client, retail: LoopbackShop, workspace: Workspace, draft: ActionDefinition
) -> None:
    sent = fields_of(browser.get(at(draft, "part/basics/")))
    browser.post(at(draft, "part/basics/"), {**sent, "description-en": "Another text."})
    record_a_case(draft.versions.order_by("-number")[0])
    second = logged_in(person(workspace, "admin", "second.admin"))
    assert "Another admin has to publish it" in visible_text(page_of(browser.get(at(draft, "publish/"))), " ")
    refused = browser.post(at(draft, "publish/"), {"number": "2"})
    assert refused.status_code == 400 and not ActionPolicy.objects.filter(action=NAME).exists()
    answer = second.post(at(draft, "publish/"), fields_of(second.get(at(draft, "publish/"))))
    rules = ActionPolicy.objects.get(action=NAME)
    assert answer.headers["Location"] == f"/admin/actions/actionpolicy/{rules.pk}/change/"
    draft.refresh_from_db()
    assert (draft.state, draft.current.number) == ("published", 2)  # type: ignore[union-attr]  # it is published
    browser.post(at(draft, "off/"))
    draft.refresh_from_db()
    assert draft.state == "disabled"
    assert browser.get(at(draft, "off/")).status_code == 405


@pytest.fixture
def widened(
    put_in_force: Callable[[dict[str, Any]], None], agreed: Agreed, ask_for: Agreed, retail: LoopbackShop
) -> tuple[ActionDefinition, dict[str, ActionRequest]]:
    """A draft that also cancels processed orders, and lets a person decide on one; with three requests by order."""
    put_in_force(document())
    done = agreed()
    run_queued()
    made = {order: ask_for(NAME, {**CANCEL, "order_id": f"#W000000{order}"}) for order in "23"}
    guard = {**document()["guards"][0], "require": "order.status in ['pending', 'processed']"}
    approval = {"when": "order.order_id == '#W0000001'"}
    draft = save_draft(document(guards=[guard], approval=approval), actor="operator:test").definition
    return draft, {"1": done, **made}


def test_before_publishing_the_effect_on_past_requests_is_shown(
    browser: Client, retail: LoopbackShop, widened: tuple[ActionDefinition, dict[str, ActionRequest]]
) -> None:
    draft, requests = widened
    performed, kept = list(retail.performed), ActionRequest.objects.count()
    page = page_of(browser.get(at(draft, "publish/")))
    text = visible_text(page, " ")
    assert "2 verdicts would change of 3 in the last 30 days." in text and "could not be judged" not in text
    assert "1 was refused or needed a person, and would now only need the customer's confirmation." in text
    assert "1 only needed the customer's confirmation, and would now be refused or need a person." in text
    assert "The records of 1 have changed since. For it, only the need for a person is compared." in text
    assert "refused: not_pending → the customer confirms" in text
    links = [str(one.attributes["href"]) for one in page.css("#h-past ~ ul.rows a")]
    assert [str(requests[order].pk) in link for order, link in zip("31", links, strict=True)] == [True, True]
    assert retail.performed == performed and ActionRequest.objects.count() == kept  # only look-ups were sent


def test_a_shop_that_does_not_answer_does_not_keep_a_version_from_being_published(
    browser: Client, retail: LoopbackShop, widened: tuple[ActionDefinition, dict[str, ActionRequest]]
) -> None:
    draft, _ = widened
    retail.is_up = False
    text = visible_text(page_of(browser.get(at(draft, "publish/"))), " ")
    assert "0 verdicts would change of 0" in text and "3 more could not be judged." in text
    assert "Publish version 2" in text


def test_the_effect_is_looked_up_for_admins_only_and_not_without_limit(
    browser: Client,
    enter: Enter,
    retail: LoopbackShop,
    widened: tuple[ActionDefinition, dict[str, ActionRequest]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    draft, _ = widened
    retail.asked.clear()
    assert "Effect on past requests" not in enter("supervisor").get(at(draft, "publish/")).content.decode()
    monkeypatch.setattr(trying, "TESTS_PER_MINUTE", 0)
    text = visible_text(page_of(browser.get(at(draft, "publish/"))), " ")
    assert "A workspace can make 20 tests a minute." in text and "Publish version 2" in text and retail.asked == []


def test_a_single_admin_publishes_with_a_reason(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/basics/")))
    browser.post(at(draft, "part/basics/"), {**sent, "description-en": "Another text."})
    record_a_case(draft.versions.order_by("-number")[0])
    refused = browser.post(at(draft, "publish/"), {"number": "2"})
    assert "This is required." in problems_of(refused) and "Give a reason" in visible_text(page_of(refused), " ")
    browser.post(at(draft, "publish/"), {"number": "2", "reason": "I am the only one here"})
    draft.refresh_from_db()
    assert draft.state == "published"
    assert AuditEntry.objects.get(event="definition.published").payload["reason"] == "I am the only one here"


def test_failing_cases_and_missing_parts_prevent_a_publication(browser: Client, draft: ActionDefinition) -> None:
    DefinitionCase.objects.create(definition=draft, name="No order", sub="x", expected="allowed")
    page = browser.get(at(draft, "publish/"))
    assert "Recorded cases fail." in visible_text(page_of(page), " ") and "Publish version" not in page_of(page).text()
    browser.post(at(draft, "publish/"), {"number": "1"})
    draft.refresh_from_db()
    assert draft.state == "draft"


@pytest.mark.parametrize("role", ["editor", "agent", "supervisor"])
def test_only_admins_change_anything(role: str, enter: Enter, draft: ActionDefinition) -> None:
    case = DefinitionCase.objects.create(definition=draft, name="One", sub="x", expected="allowed")
    client, may_look = enter(role), role == "supervisor"
    for page in ("change/", "part/guards/", "document/", "versions/", "cases/", f"cases/{case.pk}/", "publish/"):
        assert client.get(at(draft, page)).status_code == (200 if may_look else 403), page
    for page in ("add/", "operations/", f"{draft.pk}/test/"):
        assert client.get(f"{ACTIONS}{page}").status_code == 403, page
    everything = {
        "text": json.dumps(document(undo="taken")), "number": "1", "name": "taken", "sub": "x", "expected": "x",
        "do": "empty", "remove": "1", "undo": "taken", **ASKED,
    }  # fmt: skip
    for page in (
        "change/",
        "part/basics/",
        "document/",
        "test/",
        "cases/add/",
        f"cases/{case.pk}/",
        "publish/",
        "off/",
    ):
        assert client.post(at(draft, page), everything).status_code == 403, page
    assert client.post(f"{ACTIONS}add/", everything).status_code == 403
    draft.refresh_from_db()
    assert (draft.state, draft.versions.count(), DefinitionCase.objects.get().name) == ("draft", 1, "One")


def test_a_stranger_sees_and_changes_nothing(stranger: Client, draft: ActionDefinition) -> None:
    case = DefinitionCase.objects.create(definition=draft, name="One", sub="x", expected="allowed")
    for page in ("change/", "part/basics/", "document/", "versions/", "test/", f"cases/{case.pk}/", "publish/", "off/"):
        for answer in (stranger.get(at(draft, page)), stranger.post(at(draft, page), {"remove": "1", "number": "1"})):
            assert answer.status_code in (403, 404, 405), page
    copied = stranger.post(f"{ACTIONS}add/", {"do": "copy", "copy-source": NAME, "copy-name": "mine"})
    assert copied.status_code == 400 and ActionDefinition.objects.count() == 1
    assert DefinitionCase.objects.get().name == "One"


def test_the_tools_of_an_mcp_server_become_drafts(browser: Client, told: ToldServer) -> None:
    page = page_of(browser.get(f"{ACTIONS}add/"))
    assert "From an MCP server" in visible_text(page, " ")
    browser.post(f"{ACTIONS}add/", {"do": "tools", "tools-connection": "warehouse"})
    assert {one.origin for one in ActionDefinition.objects.all()} == {"mcp"}
    told.results = {"tools/list": {"tools": "none"}}
    answer = browser.post(f"{ACTIONS}add/", {"do": "tools", "tools-connection": "warehouse"})
    assert answer.status_code == 400 and problems_of(answer)
