"""Definitions in the console: created, and edited in forms and as JSON."""

import json
import re
from uuid import uuid4

import pytest
from django.test import Client
from django.utils.translation import override

from actions.audit import actor_of
from actions.definitions.errors import InvalidDefinition
from actions.definitions.models import ActionDefinition
from actions.definitions.publishing import publish
from actions.definitions.selectors import newest_version, reasons_for_saving
from actions.definitions.services import missing_in, save_draft
from actions.models import ActionPolicy, AuditEntry
from actions.policy_store import ensure_policies
from actions.registry import code_actions
from supportbot.accounts.models import User, Workspace
from tests.actions.defined.conftest import document, store_as_published
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.console.conftest import logged_in, person
from tests.console.definition_pages import ACTIONS, NAME, at, fields_of, page_of, problems_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.console.definition_pages import draft as draft
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


PARTS = ("basics", "arguments", "lookups", "guards", "labels", "money", "call", "answer", "card", "receipt", "limits")


@pytest.mark.one_in(8)
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


def test_an_actions_page_is_headed_by_its_title(browser: Client, draft: ActionDefinition) -> None:
    page = page_of(browser.get(at(draft)))
    assert visible_text(page.css_first("h1"), " ").startswith("Cancel an order")
    assert page.css_first(".crumb code").text() == draft.name  # its name stays visible


def test_a_new_definition_is_in_the_workspaces_language_and_its_name_is_checked_in_words(
    browser: Client, retail: LoopbackShop, workspace: Workspace
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(locale="fr")
    User.objects.update(language="fr")
    form = page_of(browser.get(f"{ACTIONS}add/"))
    assert form.css_first("[name=empty-language]").attributes["value"] == "fr"
    unknown = {"do": "empty", "empty-name": "refund", "empty-title": "R", "empty-language": "xx-nope"}
    assert "Cette langue est inconnue" in visible_text(page_of(browser.post(f"{ACTIONS}add/", unknown)), " ")
    sent = {"do": "empty", "empty-name": "Rembourser !", "empty-kind": "write", "empty-language": "fr"}
    answer = browser.post(f"{ACTIONS}add/", {**sent, "empty-title": "Rembourser"})
    assert answer.status_code == 400
    assert "Utilisez des minuscules, des chiffres et _" in visible_text(page_of(answer), " ")


@pytest.mark.long
def test_an_empty_definition_is_created_and_lists_what_is_missing(browser: Client, retail: LoopbackShop) -> None:
    sent = {
        "do": "empty", "empty-name": "wrap_order", "empty-kind": "write", "empty-language": "en",
        "empty-title": "Gift-wrap an order", "empty-connection": "retail",
    }  # fmt: skip
    answer = browser.post(f"{ACTIONS}add/", sent, follow=True)
    made = ActionDefinition.objects.get(name="wrap_order")
    words = visible_text(page_of(answer), " ")
    assert "What is missing" in words and "Basics, Description" in words and "Call, Method" in words
    links = {link.attributes["href"] or "" for link in page_of(answer).css("section ul.plain a")}
    assert at(made, "part/basics/") + "#id_description-en" in links
    pages = {address: browser.get(address).content.decode() for address in {link.partition("#")[0] for link in links}}
    for link in links:
        address, _, anchor = link.partition("#")
        assert f'id="{anchor}"' in pages[address], link
    assert browser.post(f"{ACTIONS}add/", sent).status_code == 400  # the name is taken
    assert made.versions.count() == 1
    User.objects.update(language="de")
    counts = re.findall(r"(\d+) (fehl\w+)", visible_text(page_of(browser.get(at(made))), " "))
    assert ("1", "fehlt") in counts
    assert all(verb == ("fehlt" if number == "1" else "fehlen") for number, verb in counts)


def test_a_copy_has_another_name(browser: Client, draft: ActionDefinition) -> None:
    browser.post(f"{ACTIONS}add/", {"do": "copy", "copy-source": NAME, "copy-name": "cancel_two"})
    made = ActionDefinition.objects.get(name="cancel_two")
    assert newest_version(made).document == {**document(), "name": "cancel_two"}


@pytest.mark.long
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


def test_a_different_order_of_arguments_is_shown_as_a_difference_of_versions(
    browser: Client, draft: ActionDefinition
) -> None:
    made = document()
    turned = {**made, "arguments": dict(reversed(made["arguments"].items()))}
    browser.post(at(draft, "document/"), {**fields_of(browser.get(at(draft, "document/"))), "text": json.dumps(turned)})
    assert newest_version(draft).number == 2
    differing = page_of(browser.get(at(draft, "versions/")))
    assert any("order_id" in one.text() or "reason" in one.text() for one in differing.css("td.add"))


def test_an_earlier_version_becomes_the_newest_draft(browser: Client, draft: ActionDefinition, dora: User) -> None:
    first = document()
    turned = {**first, "arguments": dict(reversed(first["arguments"].items()))}
    save_draft({**turned, "undo": "theirs"}, actor="operator:x")
    shown = page_of(browser.get(at(draft, "versions/?v=1")))
    assert [visible_text(button) for button in shown.css("form button")] == ["Restore version 1"]
    sent = {one.attributes["name"]: one.attributes["value"] for one in shown.css("form input")}
    told = visible_text(page_of(browser.post(at(draft, "restore/"), sent, follow=True)), " ")
    newest = newest_version(draft)
    assert "Saved as version 3." in told and newest.document == first
    assert list(newest.document["arguments"]) == list(first["arguments"])
    assert newest.created_by == actor_of(dora) and reasons_for_saving(draft)[3] == "Restored from version 1"
    with override("de"):  # each reader's language, not that of whoever restored it
        assert reasons_for_saving(draft)[3] == "Aus Version 1 wiederhergestellt"
    assert draft.current is None  # restoring publishes nothing
    assert not page_of(browser.get(at(draft, "versions/"))).css("form")


def test_restoring_needs_the_right_and_does_not_overwrite_a_newer_version(
    browser: Client, draft: ActionDefinition, workspace: Workspace
) -> None:
    save_draft(document(undo="theirs"), actor="operator:x")
    sent = {"v": "1", "based_on": "1"}
    told = visible_text(page_of(browser.post(at(draft, "restore/"), sent, follow=True)), " ")
    assert "Version 2 has been saved in the meantime" in told and draft.versions.count() == 2
    for wrong in ("7", "x", ""):
        assert browser.post(at(draft, "restore/"), {"v": wrong, "based_on": "2"}).status_code == 404
    lead = logged_in(person(workspace, "supervisor", "lena.lead"))
    assert lead.get(at(draft, "versions/?v=1")).status_code == 200
    assert not page_of(lead.get(at(draft, "versions/?v=1"))).css("form")
    assert lead.post(at(draft, "restore/"), {"v": "1", "based_on": "2"}).status_code == 403
    assert draft.versions.count() == 2


@pytest.mark.long
def test_restoring_the_newest_version_or_one_that_is_no_longer_accepted_changes_nothing(
    browser: Client, draft: ActionDefinition
) -> None:
    told = page_of(browser.post(at(draft, "restore/"), {"v": "1", "based_on": "1"}, follow=True))
    assert "Nothing was changed." in visible_text(told, " ")
    old = newest_version(draft)
    old.pk, old.number, old.document = uuid4(), 2, {**document(), "call": {"method": "SHOUT"}}
    old.save(force_insert=True)
    save_draft(document(), actor="operator:x")
    told = page_of(browser.post(at(draft, "restore/"), {"v": "2", "based_on": "3"}, follow=True))
    assert "call.method: " in visible_text(told, " ") and draft.versions.count() == 3


@pytest.mark.long
def test_errors_are_shown_next_to_their_fields_and_the_input_is_kept(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/guards/")))
    answer = browser.post(at(draft, "part/guards/"), {**sent, "guards-0-require": "ordr.status == 'x'"})
    field = page_of(answer).css_first("[name=guards-0-require]")
    assert answer.status_code == 400 and field.text().strip() == "ordr.status == 'x'"
    assert "Did you mean order?" in problems_of(answer)
    answer = browser.post(
        at(draft, "part/call/"), {**fields_of(browser.get(at(draft, "part/call/"))), "call-body": "{"}
    )
    assert "This is not valid JSON." in problems_of(answer)
    assert draft.versions.count() == 1


@pytest.mark.one_in(6)
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


def test_the_error_box_has_a_space_before_the_colon_in_french(browser: Client, draft: ActionDefinition) -> None:
    User.objects.update(language="fr")
    wrong = {"guards-2-name": "late", "guards-2-require": "arrival in more"}
    sent = fields_of(browser.get(at(draft, "part/guards/")))
    box = page_of(browser.post(at(draft, "part/guards/"), {**sent, **wrong})).css_first("#form-errors")
    assert [visible_text(one) for one in box.css("a")] == ["Condition 3 : Ce qui doit être vrai"]


@pytest.mark.long
def test_arguments_keep_the_order_in_which_they_were_entered(browser: Client, draft: ActionDefinition) -> None:
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


@pytest.mark.long
def test_a_look_up_is_renamed_everywhere_at_once(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/lookups/")))
    place = next(name for name, value in sent.items() if value == "order" and name.startswith("lookups-"))
    answer = browser.post(at(draft, "part/lookups/"), {**sent, place: "purchase"}, follow=True)
    assert "Saved as version 2." in visible_text(page_of(answer), " "), problems_of(answer)
    stored = newest_version(draft).document
    assert stored["lookups"][0]["owner"] == "purchase.user_id" and stored["subject"]["id"] == "purchase.order_id"
    assert stored["call"]["path"] == "/orders/{purchase.order_id}/cancel"
    assert stored["subject"]["kind"] == "order" and missing_in(stored) == []


OF_LINES = {
    "name": "lines", "public": True, "for_each": "order.items", "as": "line",
    "call": {"method": "GET", "path": "/products/{order.order_id}/{line.product_id}"},
}  # fmt: skip
ENTRIES = {"for_each": "order.items", "as": "one", "of": {"order": "{order.order_id}", "line": "{one.item_id}"}}


@pytest.mark.one_in(5)
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("order", "line", "line is already the name of a list's entries"),  # in a look-up for each element
        ("order", "one", "one is already the name of a list's entries"),  # in the body
        ("order", "v", "v is already the name of a list's entries"),  # in an expression
        ("more", "line", "line is already the name of a list's entries"),
        ("order", "purchase", ""),
    ],
)
def test_a_look_up_cannot_have_a_name_by_which_a_call_or_guard_would_read_a_list_entry(
    browser: Client, draft: ActionDefinition, old: str, new: str, told: str
) -> None:
    made = document()
    more = {"name": "more", "public": True, "call": {"method": "GET", "path": "/products/{order.order_id}"}}
    made["lookups"] += [OF_LINES, more]
    made["call"]["body"]["lines"] = ENTRIES
    made["guards"][0]["require"] = "all(order.items, v, v.price <= order.order_id)"
    number = save_draft(made, actor="operator:test").number
    sent = fields_of(browser.get(at(draft, "part/lookups/")))
    place = next(name for name, value in sent.items() if value == old and name.endswith("-name"))
    answer = browser.post(at(draft, "part/lookups/"), {**sent, place: new})
    assert told in problems_of(answer) if told else answer.status_code == 302
    assert newest_version(draft).number == number + (not told)


@pytest.mark.long
def test_a_look_up_with_the_name_of_list_entries_is_not_renamed(browser: Client, draft: ActionDefinition) -> None:
    made = document()
    made["lookups"].append({
        "name": "goods", "public": True, "for_each": "order.items", "as": "order",
        "call": {"method": "GET", "path": "/products/{order.product_id}"},
    })  # fmt: skip
    number = save_draft(made, actor="operator:test").number
    sent = fields_of(browser.get(at(draft, "part/lookups/")))
    answer = browser.post(at(draft, "part/lookups/"), {**sent, "lookups-0-name": "purchase"})
    assert "order is also the name of a list's entries" in problems_of(answer)
    assert newest_version(draft).number == number


@pytest.mark.long
def test_a_field_that_is_only_sent_as_as_names_no_list_entries(browser: Client, draft: ActionDefinition) -> None:
    made = document()
    made["call"]["body"] |= {"as": "order", "inner": {"as": "order", "for_each": "x"}}
    save_draft(made, actor="operator:test")
    sent = fields_of(browser.get(at(draft, "part/lookups/")))
    answer = browser.post(at(draft, "part/lookups/"), {**sent, "lookups-0-name": "purchase"})
    assert answer.status_code == 302, problems_of(answer)
    stored = newest_version(draft).document
    assert (stored["lookups"][0]["name"], stored["call"]["body"]["as"]) == ("purchase", "order")


def test_a_value_does_not_get_the_name_of_one_that_is_removed_by_the_same_save(
    browser: Client, draft: ActionDefinition
) -> None:
    made = {**document(), "values": {"paid": "order.status == 'paid'", "small": "len(order.items) < 3"}}
    made["guards"] = [{**made["guards"][0], "require": "paid and small"}]
    number = save_draft(made, actor="operator:test").number
    part = at(draft, "part/guards/")
    sent = fields_of(browser.get(part))
    rows = {value: name.removesuffix("-name") for name, value in sent.items() if name.endswith("-name")}
    answer = browser.post(part, {**sent, f"{rows['paid']}-remove": "on", f"{rows['small']}-name": "paid"})
    assert "paid is being removed at the same time" in problems_of(answer)
    assert newest_version(draft).number == number


@pytest.mark.long
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


@pytest.mark.long
def test_a_language_is_added_and_then_missing_everywhere(browser: Client, draft: ActionDefinition) -> None:
    sent = fields_of(browser.get(at(draft, "part/basics/")))
    browser.post(at(draft, "part/basics/"), {**sent, "new_language": "Deutsch", "new_title": "Bestellung stornieren"})
    assert newest_version(draft).document["title"]["de"] == "Bestellung stornieren"
    words = visible_text(page_of(browser.get(at(draft))), " ")
    assert "Card, Summary, German" in words and "Guards, Guard 1" in words
    assert "card-summary-de" in fields_of(browser.get(at(draft, "part/card/")))


@pytest.mark.long
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


@pytest.mark.long
def test_a_field_that_lacks_proof_is_described_as_on_the_other_pages(browser: Client) -> None:
    made = document()
    made["lookups"] = [{**made["lookups"][0], "public": True}]
    del made["lookups"][0]["owner"]
    made["subject"] = {"kind": "order", "id": "identity.sub"}
    made["call"] = {**made["call"], "path": "/cancellations", "body": {"order": "{arguments.order_id}"}}
    definition = save_draft(made, actor="operator:test").definition
    why = "The call identifies neither the customer nor a record of theirs, so it could concern anyone."
    for page in ("change/", "publish/", "part/call/"):
        opened = page_of(browser.get(at(definition, page)))
        told = [" ".join(one.text().split()) for one in opened.css("li")]
        assert any("Body: " + why in one for one in told), page
        assert visible_text(opened, " ").count(why) == 1, page
    assert why in visible_text(page_of(browser.get(at(definition, "test/"))), " ")


def test_a_look_up_of_the_customers_records_cannot_be_published_for_visitors(
    browser: Client, dora: User, retail: LoopbackShop
) -> None:
    definition = save_draft(document("get_order_details"), actor="operator:test").definition
    sent = fields_of(browser.get(at(definition, "part/basics/")))
    assert "visitors" not in sent  # off unless somebody decides so
    browser.post(at(definition, "part/basics/"), {**sent, "visitors": "on"})
    assert newest_version(definition).document["visitors"] is True
    for page in ("change/", "publish/", "part/basics/"):
        told = [" ".join(one.text().split()) for one in page_of(browser.get(at(definition, page))).css("li")]
        why = "Also for visitors who are not signed in: The look-up order is not public"
        assert any(why in one for one in told), page
    with pytest.raises(InvalidDefinition) as refused:
        publish("get_order_details", number=newest_version(definition).number, person=dora)
    assert list(refused.value.fields) == ["visitors"]


def test_own_and_built_in_actions_are_counted_separately(
    workspace: Workspace, browser: Client, retail: LoopbackShop
) -> None:
    def headings() -> list[str]:
        return [visible_text(one, " ") for one in page_of(browser.get(ACTIONS)).css("main h1, main h2")]

    assert headings() == ["Actions", "Your own actions 0", "None yet", "Built-in actions 4"]
    save_draft(document(), actor="operator:test")
    assert headings() == ["Actions", "Your own actions 1", "Built-in actions 4"]


def test_built_in_actions_can_be_switched_off_in_one_step_once_there_are_defined_ones(
    workspace: Workspace, browser: Client, retail: LoopbackShop
) -> None:
    ensure_policies(actor="operator:test")
    button = "Switch off all built-in actions"
    save_draft(document(), actor="operator:test")
    assert button not in visible_text(page_of(browser.get(ACTIONS)), " ")
    store_as_published(document())
    assert button in visible_text(page_of(browser.get(ACTIONS)), " ")
    for role in ("agent", "editor"):
        refused = logged_in(person(workspace, role, f"{role}.x")).post(f"{ACTIONS}built-in/off/")
        assert refused.status_code == 403
    assert browser.get(f"{ACTIONS}built-in/off/").status_code == 405
    assert ActionPolicy.objects.filter(action__in=code_actions(), is_enabled=True).count() == len(code_actions())
    own = ActionPolicy.objects.get(action=NAME).is_enabled
    told = browser.post(f"{ACTIONS}built-in/off/", follow=True)
    assert "Switched off: cancel_order" in told.content.decode()
    assert not ActionPolicy.objects.filter(action__in=code_actions(), is_enabled=True).exists()
    assert ActionPolicy.objects.get(action=NAME).is_enabled == own
    assert AuditEntry.objects.filter(event="policy.disabled").count() == len(code_actions())
    assert button not in visible_text(page_of(browser.get(ACTIONS)), " ")
