"""What the console says about imported files and broken definitions, in the language of the reader."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.test import Client
from django.utils.translation import override

from actions.deferred_text import from_json, translated
from actions.definitions.importing.mcp import read_tools
from actions.definitions.importing.openapi import read_openapi
from actions.definitions.models import ActionDefinition
from actions.definitions.selectors import found_by_import, open_hints
from actions.definitions.services import newest_version, save_draft
from actions.models import ActionRequest, AuditEntry
from supportbot.accounts.models import User
from supportbot.handoff.desk.action_records import action_record
from tests.actions.defined.conftest import admin as admin
from tests.actions.defined.conftest import agreed as agreed
from tests.actions.defined.conftest import ann as ann
from tests.actions.defined.conftest import ask_for as ask_for
from tests.actions.defined.conftest import document
from tests.actions.defined.conftest import put_in_force as put_in_force
from tests.actions.defined.conftest import retail as retail
from tests.actions.defined.loopback_shop import LoopbackShop
from tests.console.definition_pages import ACTIONS, ASKED, ORDER_LINE, at, page_of, problems_of
from tests.console.definition_pages import browser as browser
from tests.console.definition_pages import dora as dora
from tests.pages import visible_text

pytestmark = pytest.mark.django_db

# An OpenAPI file that leads to a note on the file, and to a note, a check and a hint on its operation.
FILE: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "Shop"},
    "servers": [],
    "paths": {
        "/pauses": {
            "post": {
                "operationId": "pause",
                "parameters": [
                    {"name": "customerId", "in": "query", "schema": {"type": "string"}},
                    {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}},
                    {"name": "session", "in": "cookie"},
                ],
            }
        }
    },
}


@pytest.fixture
def in_german(dora: User) -> None:
    User.objects.update(language="de")


@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ({"swagger": "2.0"}, "Das ist Swagger 2.0. Wandeln Sie die Datei in OpenAPI 3 um"),
        ({"openapi": "3.0.0", "paths": {}}, "Die Datei hat keine Operationen"),
        ("a: [1", "Die Datei ist weder gültiges JSON noch gültiges YAML. Prüfen Sie Zeile"),
        ({**FILE, "paths": {"/x": {"$ref": "https://elsewhere.example/x"}}}, "Die Datei verweist auf etwas außerhalb"),
    ],
)
@pytest.mark.usefixtures("in_german")
def test_a_refused_file_is_explained_in_the_readers_language(
    browser: Client, retail: LoopbackShop, file: Any, problem: str
) -> None:
    text = file if isinstance(file, str) else json.dumps(file)
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": text})
    assert answer.status_code == 400 and problem in problems_of(answer)


def test_notes_on_a_file_are_shown_to_each_reader_in_their_language(browser: Client, retail: LoopbackShop) -> None:
    """The draft is imported by someone who reads English."""
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps(FILE)}, follow=True)
    address, query = answer.redirect_chain[-1][0].split("?")
    sent = {name: values[0] for name, values in parse_qs(query).items()}
    browser.post(address, {**sent, "pick": "pause", "import": "1"})
    made = ActionDefinition.objects.get()
    assert "always the id of the signed-in customer" in visible_text(page_of(browser.get(at(made))), " ")
    User.objects.update(language="de")
    on_file = visible_text(page_of(browser.get(address, sent)), " ")
    assert "Die Datei nennt keinen Server. Geben Sie die Adresse der Verbindung von Hand ein." in on_file
    on_draft = visible_text(page_of(browser.get(at(made))), " ")
    assert "customer_id: immer die Kennung des angemeldeten Kunden" in on_draft
    assert "session: Ein Parameter in cookie kann nicht gesendet werden." in on_draft
    on_outcome = visible_text(page_of(browser.get(at(made, "part/answer/"))), " ")
    assert "Der Aufruf nimmt einen Schlüssel." in on_outcome


def test_notes_of_former_versions_stay_as_they_were_stored(retail: LoopbackShop) -> None:
    document = {"format": 1, "name": "do_thing", "title": {"en": "Do"}}
    imported = {"source": "POST /x", "notes": ["A {note}."], "checks": [], "hints": [["outcome.kind", "A hint."]]}
    made = save_draft(document, actor="t", origin="openapi", imported=imported).definition
    with override("de"):
        assert found_by_import(made)["notes"] == ["A {note}."]
        assert open_hints(made, newest_version(made).document) == [("outcome.kind", "A hint.")]


@pytest.mark.usefixtures("pseudo_language")
def test_every_note_and_check_of_an_import_is_marked_for_translation() -> None:
    """In the pseudo-language, marked messages begin with a bracket."""
    odd = {
        "$ref": {"$ref": "#/nowhere"}, "file": {"type": "string", "format": "binary"}, "any": {},
        "many": {"type": "array", "items": {"oneOf": [{"type": "string"}, {"type": "object"}]}},
        "code": {"type": "string", "pattern": "[a"}, "account": {"type": "string"}, "user_id": {"type": "string"},
        "choice": {"enum": [1, 2]}, "shape": {"type": "object", "properties": {"a b": {"type": "string"}}},
    }  # fmt: skip
    schema = {"type": "object", "properties": odd}
    tools = [
        {"name": "t", "inputSchema": schema, "annotations": {"readOnlyHint": True}},
        {"name": "no schema"},
        {"name": "s"},
    ]
    body = {"content": {"application/json": {"schema": schema}}}
    more = {
        "/b/{x}": {"put": {"requestBody": body, "deprecated": True, "responses": {"202": {}}}, "trace": {}},
        "/c": 1,
    }
    file = {**FILE, "paths": {**FILE["paths"], **more}, "servers": [{"url": "a"}, {"url": "b"}]}
    files = (read_tools({"tools": tools}), read_openapi(json.dumps(file)))
    drafts = [draft for one in files for draft in one.drafts]
    found = [
        *(note for one in files for note in one.notes),
        *(text for draft in drafts for text in (*draft.notes, *draft.checks, *(hint for _, hint in draft.hints))),
    ]
    assert len(found) > 20
    for text in found:
        stored = json.loads(json.dumps(text.as_json()))
        assert from_json(stored) == text
        with override("de"):
            assert translated(from_json(stored)).startswith("["), text


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ({"kind": "dance"}, "kind: Schreiben Sie eines von: read, write."),
        ({"titel": {"en": "x"}}, "titel: Dieses Feld gibt es nicht. Meinen Sie title?"),
        ({"values": {"a": "b", "b": "a"}}, "values.a: Dieser Wert hängt von sich selbst ab, unmittelbar"),
        (
            {"values": {"a": "today + 14"}},
            "Ein Datum und eine Zahl lassen sich nicht addieren; schreiben Sie days(28) für eine Anzahl von Tagen",
        ),
        ({"values": {"a": "1 +"}}, "values.a: Hier fehlt ein Wert. (bei Zeichen 4)"),
        ({"values": {"a": "nth(1)"}}, "Es gibt keine Funktion nth. Es gibt: abs, all"),
    ],
)
@pytest.mark.usefixtures("in_german")
def test_mistakes_in_a_definition_are_explained_in_the_readers_language(
    browser: Client, retail: LoopbackShop, part: dict[str, Any], problem: str
) -> None:
    answer = browser.post(f"{ACTIONS}add/", {"do": "file", "file-text": json.dumps({**document(), **part})})
    assert answer.status_code == 400 and problem in problems_of(answer)


def test_a_test_call_says_in_the_readers_language_why_it_failed_and_the_audit_trail_in_english(
    browser: Client, retail: LoopbackShop
) -> None:
    User.objects.update(language="de")
    guards = [{**document()["guards"][0], "require": "1 / (len(order.items) - len(order.items)) > 0"}]
    made = save_draft(document(guards=guards), actor="operator:test").definition
    records = json.dumps({ORDER_LINE: retail.records.records["orders"]["#W0000001"]}, default=str)
    answer = browser.post(at(made, "test/"), {**ASKED, "records": records})
    words = visible_text(page_of(answer), " ")
    where = "guards.is_pending: {} (in: 1 / (len(order.items) - len(order.items)))"
    assert f"Wo es scheiterte: {where.format('Division durch null')}" in words
    assert AuditEntry.objects.get(event="definition.tested").payload["place"] == where.format("division by zero")


def test_the_desk_says_in_the_agents_language_why_an_action_failed(
    put_in_force: Callable[[dict[str, Any]], None], ask_for: Callable[..., ActionRequest]
) -> None:
    put_in_force(document(guards=[{**document()["guards"][0], "require": "order.typo == 'x'"}]))
    refused = ask_for()
    with override("de"):
        told = action_record(refused).steps[-1].reason
    assert "(guards.is_pending: es gibt kein Feld „typo“ (in: order.typo))" in told
