"""Drafts of actions from a file, an OpenAPI file or an MCP server, in the console."""

import json
from urllib.parse import parse_qs

import pytest
from django.test import Client

from actions.audit import actor_of
from actions.connections import services as connections
from actions.definitions import publishing, selectors, services
from actions.definitions.errors import NeedsSecondPerson
from actions.definitions.importing.mcp import read_tools
from actions.definitions.models import ActionDefinition
from actions.definitions.selectors import newest_version
from actions.definitions.services import save_draft
from supportbot.accounts.models import User, Workspace
from tests.actions.connections.tool_servers import ScriptedMcpServer
from tests.actions.defined.conftest import bilingual, document, record_a_case
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.actions.defined.test_tools import mcp_server as mcp_server
from tests.console.conftest import person
from tests.console.definition_pages import ACTIONS, NAME, at, fields_of, page_of, problems_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.pages import visible_text

pytestmark = pytest.mark.django_db


@pytest.mark.long
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


@pytest.mark.long
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
    mcp_server = {name: values[0] for name, values in parse_qs(query).items()}
    found = browser.post(address, {**mcp_server, "q": "do_thing299", "pick": ["do_thing7", "do_thing8"], "search": "1"})
    assert [one.attributes["value"] for one in page_of(found).css("[name=pick]")] == ["do_thing299"]
    assert page_of(found).css_first("[name=kept]").attributes["value"] == "do_thing7 do_thing8"
    browser.post(address, {**mcp_server, "kept": "do_thing7 do_thing8", "pick": "do_thing299", "import": "1"})
    made = {one.name for one in ActionDefinition.objects.all()}
    assert made == {"do_thing7", "do_thing8", "do_thing299"} and retail.asked == []


@pytest.mark.long
def test_a_draft_says_that_it_is_for_the_signed_in_customer_and_this_can_be_changed(
    browser: Client, retail: LoopbackShop
) -> None:
    parameter = {"name": "customerId", "in": "query", "schema": {"type": "string"}}
    file = {**OPENAPI, "paths": {"/pauses": {"post": {"operationId": "pause", "parameters": [parameter]}}}}
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(file)}, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    mcp_server = {name: values[0] for name, values in parse_qs(query).items()}
    browser.post(address, {**mcp_server, "pick": "pause", "import": "1"})
    draft = ActionDefinition.objects.get()
    words = visible_text(page_of(browser.get(at(draft))), " ")
    assert "Check before publishing" in words and "customer_id: always the id of the signed-in customer" in words
    sent = fields_of(browser.get(at(draft, "part/arguments/")))
    assert (sent["arguments-0-name"], sent["arguments-0-from"]) == ("customer_id", "identity")
    browser.post(at(draft, "part/arguments/"), {**sent, "arguments-0-from": "model"})
    assert newest_version(draft).document["arguments"]["customer_id"] == {"type": "string", "from": "model"}


@pytest.mark.long
def test_every_operation_can_be_selected_at_once(browser: Client, retail: LoopbackShop) -> None:
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(OPENAPI)}, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    mcp_server = {name: values[0] for name, values in parse_qs(query).items()}
    all_of_them = fields_of(browser.post(address, {**mcp_server, "all": "1"}))
    assert len(all_of_them["kept"].split()) == 100
    none = browser.post(address, {**mcp_server, "none": "1"})
    assert page_of(none).css("[name=pick][checked]") == []


@pytest.mark.long
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


@pytest.mark.long
def test_only_the_selected_texts_of_a_file_are_accepted(browser: Client, retail: LoopbackShop) -> None:
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


@pytest.mark.long
def test_all_texts_of_a_file_are_accepted_at_once_but_not_who_the_customer_is(
    browser: Client, retail: LoopbackShop
) -> None:
    arguments = {"id": {"type": "string"}, "who": {"type": "string", "description": "Mine"}}
    told = {"id.description": "Which", "who.description": "Theirs", "who.from": "identity"}
    imported = {"source": "POST /x", "suggestions": {f"arguments.{path}": text for path, text in told.items()}}
    made = save_draft(
        {"format": 1, "name": "do_thing", "title": {"en": "Do"}, "arguments": arguments}, actor="t", origin="openapi",
        imported=imported,
    ).definition  # fmt: skip
    sent = fields_of(browser.get(at(made, "part/arguments/")))
    browser.post(at(made, "part/arguments/"), {**sent, "take_all": "1"})
    stored = newest_version(made).document["arguments"]
    assert stored == {**arguments, "id": {"type": "string", "description": "Which"}}
    again = browser.get(at(made, "part/arguments/"))
    assert not page_of(again).css("[name=take_all]")  # nothing is empty any more
    assert not page_of(browser.get(at(made, "part/basics/"))).css("[name=take_all]")


@pytest.mark.long
def test_what_a_tool_calls_and_reads_is_not_accepted_with_the_texts(browser: Client, retail: LoopbackShop) -> None:
    schema = {"type": "object", "properties": {"visit_id": {"type": "string", "description": "The visit."}}}
    reader = {"name": "find_visit", "inputSchema": schema, "annotations": {"readOnlyHint": True}}
    tool = {"name": "move_visit", "title": "Move a visit", "description": "Moves it.", "inputSchema": schema}
    draft = read_tools({"tools": [tool, reader]}, "retail").drafts[0]
    assert {"lookups[0].call.tool", "subject.kind"} <= draft.suggestions.keys()
    made = save_draft(
        draft.document, actor="t", origin="mcp", imported={"source": "x", "suggestions": draft.suggestions}
    ).definition
    for part in ("basics", "arguments", "lookups", "answer"):
        sent = fields_of(browser.get(at(made, f"part/{part}/")))
        browser.post(at(made, f"part/{part}/"), {**sent, "take_all": "1"})
    stored = newest_version(made).document
    assert stored["description"] == {"en": "Moves it."}
    assert stored["arguments"]["visit_id"]["description"] == "The visit."
    assert "lookups" not in stored and "subject" not in stored
    assert not page_of(browser.get(at(made, "part/lookups/"))).css("[name=take_all]")


def test_the_tools_of_an_mcp_server_become_drafts(browser: Client, mcp_server: ScriptedMcpServer) -> None:
    page = page_of(browser.get(f"{ACTIONS}add/"))
    assert "From an MCP server" in visible_text(page, " ")
    browser.post(f"{ACTIONS}add/", {"do": "tools", "tools-connection": "warehouse"})
    assert {one.origin for one in ActionDefinition.objects.all()} == {"mcp"}
    mcp_server.results = {"tools/list": {"tools": "none"}}
    answer = browser.post(f"{ACTIONS}add/", {"do": "tools", "tools-connection": "warehouse"})
    assert answer.status_code == 400 and problems_of(answer)


@pytest.mark.long
def test_a_look_up_with_a_tool_is_entered_with_the_tools_name(browser: Client, mcp_server: ScriptedMcpServer) -> None:
    browser.post(f"{ACTIONS}add/", {"do": "tools", "tools-connection": "warehouse"})
    made = selectors.definition_named("create_return")
    read = newest_version(selectors.definition_named("get_order")).document["call"]
    page = browser.get(at(made, "part/lookups/"))
    assert "From an MCP server" in visible_text(page_of(browser.get(at(made))), " ")
    entered = {"lookups-0-name": "item", "lookups-0-owner": "item.structuredContent.owner"}
    sent = {**fields_of(page), **entered, "lookups-0-call-body": '{"order": "{arguments.order}"}'}
    refused = browser.post(at(made, "part/lookups/"), {**sent, "lookups-0-call-tool": "find_nothing"})
    assert "No tool find_nothing was read from the connection warehouse." in problems_of(refused)
    browser.post(at(made, "part/lookups/"), {**sent, "lookups-0-call-tool": read["tool"]})
    [lookup] = newest_version(made).document["lookups"]
    assert lookup["call"] == {**read, "body": {"order": "{arguments.order}"}}
    again = fields_of(browser.get(at(made, "part/lookups/")))
    assert again["lookups-0-call-tool"] == read["tool"]
    path = {
        "lookups-0-call-tool": "",
        "lookups-0-call-method": "GET",
        "lookups-0-call-path": "/x",
        "lookups-0-call-body": "",
    }
    browser.post(at(made, "part/lookups/"), {**again, **path})
    assert newest_version(made).document["lookups"][0]["call"] == {"method": "GET", "path": "/x"}


def test_saving_a_page_accepts_no_change_of_a_tool(browser: Client, mcp_server: ScriptedMcpServer) -> None:
    browser.post(f"{ACTIONS}add/", {"do": "tools", "tools-connection": "warehouse"})
    made = selectors.definition_named("create_return")
    stored = newest_version(made).document
    save_draft({**stored, "call": {**stored["call"], "schema_hash": "0" * 64}}, actor="t")
    sent = fields_of(browser.get(at(made, "part/call/")))
    assert sent["call-tool"] == stored["call"]["tool"]
    browser.post(at(made, "part/call/"), {**sent, "call-body": '{"order": "{arguments.order}", "note": "x"}'})
    assert newest_version(made).document["call"]["schema_hash"] == "0" * 64


def test_the_only_connection_is_selected(browser: Client, retail: LoopbackShop) -> None:
    def selected() -> list[str | None]:
        page = page_of(browser.get(f"{ACTIONS}add/"))
        return [one.attributes.get("value") for one in page.css("select[name$='-connection'] option[selected]")]

    assert selected() == ["retail"] * 3
    connections.create(connections.Draft("other", retail.base_url, auth="none"), actor="test")
    assert selected() == [""] * 3


@pytest.mark.long
def test_the_texts_of_a_file_are_read_and_accepted_together(browser: Client, retail: LoopbackShop) -> None:
    file = {**OPENAPI, "paths": {"/things7/{id}": OPENAPI["paths"]["/things7/{id}"]}}  # type: ignore[index]
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(file)}, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    browser.post(
        address, {**{name: one[0] for name, one in parse_qs(query).items()}, "pick": "do_thing7", "import": "1"}
    )
    draft = ActionDefinition.objects.get()
    page = page_of(browser.get(at(draft)))
    taken = [str(one.attributes["value"]) for one in page.css("[name=take]")]
    assert "Which thing" in visible_text(page, " ") and any(one.startswith("arguments.id.description") for one in taken)
    browser.post(at(draft, "texts/"), {"take": ["arguments.id.from", "lookups[0].owner"]})
    assert draft.versions.count() == 1  # only texts are accepted together
    browser.post(at(draft, "texts/"), {"take": taken})
    stored = newest_version(draft).document
    assert stored["arguments"]["id"]["description"] == "Which thing" and draft.versions.count() == 2
    assert not page_of(browser.get(at(draft))).css("[name=take]")


def imported_draft(number: int, text: str, *, actor: str) -> ActionDefinition:
    """Import a draft of an action that writes, whose description the file suggests."""
    made = {**document(), "description": {}, "title": {"en": f"Title {number}"}}
    found = {"source": "POST /x", "suggestions": {"description.en": text, "subject.id": "order.id"}}
    return save_draft(made, actor=actor, imported=found).definition


@pytest.mark.long
def test_text_that_changed_since_it_was_read_is_not_accepted(browser: Client, retail: LoopbackShop) -> None:
    draft = imported_draft(1, "Cancels an order.", actor="operator:test")
    taken = [str(one.attributes["value"]) for one in page_of(browser.get(at(draft))).css("[name=take]")]
    imported_draft(2, "Nobody has read this.", actor="operator:test")
    answer = browser.post(at(draft, "texts/"), {"take": taken}, follow=True)
    assert "The texts have changed since you opened the page" in answer.content.decode()
    assert draft.versions.count() == 2 and not newest_version(draft).document["description"]


def test_a_reviewer_who_uses_the_files_texts_is_not_the_author_of_the_draft(
    browser: Client, retail: LoopbackShop, dora: User, workspace: Workspace
) -> None:
    author = person(workspace, "admin", "alice.author")
    draft = imported_draft(1, "Cancels an order.", actor=actor_of(author))
    taken = [str(one.attributes["value"]) for one in page_of(browser.get(at(draft))).css("[name=take]")]
    browser.post(at(draft, "texts/"), {"take": taken})
    version = newest_version(draft)
    assert (version.number, version.created_by) == (2, actor_of(dora))
    assert publishing.needs_second_person(version, author) and not publishing.needs_second_person(version, dora)
    record_a_case(version)
    with pytest.raises(NeedsSecondPerson):
        publishing.publish(NAME, number=2, person=author)
    edited = save_draft({**version.document, "subject": {"kind": "order", "id": "order.user_id"}}, actor=actor_of(dora))
    assert publishing.needs_second_person(edited, dora) and not publishing.needs_second_person(edited, author)


def test_a_reviewer_who_changes_the_order_of_the_questions_becomes_the_author(
    browser: Client, retail: LoopbackShop, dora: User, workspace: Workspace
) -> None:
    author = person(workspace, "admin", "alice.author")
    draft = imported_draft(1, "Cancels an order.", actor=actor_of(author))
    taken = [str(one.attributes["value"]) for one in page_of(browser.get(at(draft))).css("[name=take]")]
    browser.post(at(draft, "texts/"), {"take": taken})
    before = newest_version(draft).document
    turned = {**before, "arguments": dict(reversed(before["arguments"].items()))}
    version = save_draft(turned, actor=actor_of(dora))
    assert version.number == 3
    assert publishing.needs_second_person(version, dora) and not publishing.needs_second_person(version, author)
    record_a_case(version)
    with pytest.raises(NeedsSecondPerson):
        publishing.publish(NAME, number=3, person=dora)


@pytest.mark.long
def test_the_connection_is_chosen_beside_the_operations_or_created_with_the_files_settings(
    browser: Client, retail: LoopbackShop
) -> None:
    scheme = {"type": "apiKey", "in": "header", "name": "X-Shop-Key"}
    file = OPENAPI | {"components": {"securitySchemes": {"key": scheme}}}
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(file)}, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    page = page_of(answer)
    assert [one.text().strip() for one in page.css("select[name=connection] option")][1:] == ["retail"]
    link = page.css_first(".notice.info a").attributes["href"]
    entered = fields_of(browser.get(str(link)))
    assert (entered["base_url"], entered["set_header"]) == ("https://shop.example/v1", "X-Shop-Key")
    sent = {"file": parse_qs(query)["file"][0], "connection": "retail", "pick": "do_thing7"}
    browser.post(address, sent | {"import": "1"})
    assert newest_version(ActionDefinition.objects.get()).document["connection"] == "retail"
