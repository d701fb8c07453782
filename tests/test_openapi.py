"""The schema that programs are written against: it names every refusal, and allows nothing that is refused."""

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.test import Client
from jsonschema import Draft202012Validator

from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.services import start_conversation
from tests.rest import person, service

pytestmark = pytest.mark.django_db
WRITES = {"post", "patch", "put", "delete"}


@pytest.fixture
def schema(client: Client) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/schema/", {"format": "json"}).json()
    return found


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, item in schema["paths"].items() for method, operation in item.items()]


def test_the_committed_schema_is_the_one_that_is_served(client: Client, tmp_path: Path) -> None:
    """The command of docs/api.md writes it; it fails at the first warning, such as two operations of one name."""
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(made))
    committed = (settings.BASE_DIR / "docs/openapi.yaml").read_text()
    assert made.read_text() == committed, "write docs/openapi.yaml anew: docs/api.md names the command"
    assert client.get("/api/v1/schema/").content.decode() == committed


def test_every_operation_names_its_refusals_with_one_body(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        refusals = {status: told for status, told in operation["responses"].items() if status >= "400"}
        assert {"400", "401", "403", "429", "503"} <= refusals.keys(), (path, method)
        assert ("404" in refusals) >= ("{" in path or method in WRITES), (path, method)
        bodies = {told["content"]["application/json"]["schema"]["$ref"] for told in refusals.values()}
        assert bodies == {"#/components/schemas/Error"}, (path, method)


def test_every_operation_says_what_it_does(schema: dict[str, Any]) -> None:
    said = {(path, method): operation.get("description", "") for path, method, operation in operations(schema)}
    assert [call for call, words in said.items() if not words or "A view that" in words] == []


def test_bodies_are_closed_and_their_texts_storable(schema: dict[str, Any]) -> None:
    bodies = [operation["requestBody"] for _, _, operation in operations(schema) if "requestBody" in operation]
    names = {body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies}
    assert names
    for name in names:
        body = schema["components"]["schemas"][name]
        assert body["additionalProperties"] is False, name
        assert "A serializer that refuses" not in body.get("description", ""), name
        fields = [way for field in body.get("properties", {}).values() for way in field.get("oneOf", [field])]
        texts = [field for field in fields if field.get("type") == "string"]
        assert all({"pattern", "allOf", "format", "enum"} & text.keys() or text["maxLength"] == 0 for text in texts), (
            name
        )


TRIED: dict[tuple[str, str], dict[str, list[Any]]] = {
    ("channels", "ChannelInputRequest"): {
        "name": ["Shop", "\u00a0", "\x1c", " ", "", 0, None, "a\x00b"],
        "allowed_origins": [
            ["https://shop.example"],
            ["http://shop.eu.example:8080"],
            ["shop.example"], ["https://"], ["https://a/b"], [1],
        ],
        "accent": ["", "#1f5b45", "green"],
        "privacy_url": ["", "https://shop.example/privacy?of=me", "shop.example", "ftp://shop.example"],
        "greetings": [{}, {"de": "Hallo"}, {"de": ""}, {"german": "Hallo"}, {"de": "Hal\nlo"}, {"de": 1}, None, [], ""],
        "suggestions": [{}, {"en": ["Where?"]}, {"en": ["a"] * 4}, {"en": ["x" * 81]}, {"en": "Where?"}, None, []],
        "locale": ["de-AT", "german", ""],
        "confirms_on_hosted_page": [True, False, 0, 1, "true", None],
    },
    ("articles", "NewArticleRequest"): {
        "title": ["Returns", " ", "x" * 301, 7],
        "body": ["Sixty days.", "\n"],
        "locale": ["de_AT", "?"],
        "category": ["", "x" * 121],
        "external_id": ["a b", "a\tb"],
        "url": ["", "/help", "//evil.test", "https://a.test/b?c", "javascript:1"],
    },
    ("conversations/{id}/messages", "MessageInputRequest"): {
        "text": ["Hello", "", " ", "x" * 4_001, 7],
        "client_id": ["m-1", "ä", "a b", "", "x" * 129],
        "kind": ["note", "shout"],
    },
    ("collections", "NewCollectionRequest"): {"name": ["Help", "", "\u2003", 0, "x" * 121]},
}  # fmt: skip
WHOLE: dict[str, dict[str, Any]] = {
    "channels": {"name": "Shop"},
    "articles": {"title": "Returns", "body": "Sixty days."},
    "conversations/{id}/messages": {"client_id": "m-1", "text": "Hello", "kind": "note"},
    "collections": {},
}
BODIES = [
    (path, name, {**WHOLE[path], field: value})
    for (path, name), fields in TRIED.items()
    for field, values in fields.items()
    for value in values
]


@pytest.mark.parametrize(("path", "name", "body"), BODIES, ids=lambda value: str(value)[:60])
def test_the_schema_and_the_api_take_and_refuse_the_same(
    schema: dict[str, Any], workspace: Workspace, bob: User, alice: Customer, path: str, name: str, body: dict[str, Any]
) -> None:
    told = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": schema["components"]})
    conversation = start_conversation(alice.pk)
    caller = person(workspace, bob) if "{id}" in path else service(workspace, "channels:write", "kb:write")
    answer = caller.post(f"/api/v1/{path}".format(id=conversation.pk), body, format="json")
    assert answer.status_code == (201 if told.is_valid(body) else 400), answer.content


@pytest.mark.parametrize("limit", ["0", "00", "-1", "1.5", "many", "", "٣"])
def test_a_page_has_a_size(workspace: Workspace, limit: str) -> None:
    tickets = service(workspace, "tickets:read")
    answer = tickets.get("/api/v1/tickets", {"limit": limit})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["limit"])
    assert tickets.get("/api/v1/tickets?limit=1&limit=2").status_code == 400
    assert tickets.get("/api/v1/tickets", {"limit": "9" * 40}).json()["results"] == []


def test_a_cursor_of_nobody_leads_nowhere(workspace: Workspace) -> None:
    answer = service(workspace, "tickets:read").get("/api/v1/tickets", {"cursor": "nowhere"})
    assert (answer.status_code, list(answer.json()["fields"])) == (404, ["cursor"])
