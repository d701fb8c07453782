"""The OpenAPI schema: it lists every error, and allows no input that is refused."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.db import transaction
from django.test import Client
from django.urls import URLPattern
from drf_spectacular import validation
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from kb.models import Article
from supportbot import home_and_error_pages, openapi
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Customer, User, Workspace
from supportbot.chat.services import start_conversation
from supportbot.handoff.models import Reason, Requester
from supportbot.handoff.tickets.services import request
from supportbot.urls import apis, urlpatterns
from tests.rest import person, service, signed_in

pytestmark = pytest.mark.django_db
WRITES = {"post", "patch", "put", "delete"}


@pytest.fixture
def schema(db: None) -> dict[str, Any]:
    """The served schema, which no test changes."""
    return served_schema()


@cache
def served_schema() -> dict[str, Any]:
    """The schema depends on the code alone, so one request serves all tests."""
    found: dict[str, Any] = json.loads(Client().get("/api/v1/schema/", {"format": "json"}).content)
    return found


def operations(schema: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(path, method, operation) for path, item in schema["paths"].items() for method, operation in item.items()]


def test_the_committed_schema_is_current(schema: dict[str, Any], tmp_path: Path) -> None:
    """The command in docs/api.md writes it, and fails at the first warning, such as two operations with one name.

    The command's option --validate checks the same as the next test, but takes five times as long.
    """
    made = tmp_path / "openapi.yaml"
    call_command("spectacular", "--fail-on-warn", "--file", str(made))
    committed = (settings.BASE_DIR / "docs/openapi.yaml").read_text()
    assert made.read_text() == committed, "docs/openapi.yaml is not current: write it with the command in docs/api.md"
    assert yaml.load(committed, Loader=yaml.CSafeLoader) == schema, "the served schema is another one"


@pytest.mark.long
def test_the_schema_is_valid(schema: dict[str, Any]) -> None:
    version = "_".join(schema["openapi"].split(".")[:2])
    rules = json.loads(Path(validation.__file__).with_name(f"openapi_{version}_schema.json").read_text())
    # If it were not crawled once, each reference would be looked up in the whole schema.
    registry = Registry().with_resource(rules.get("$id", ""), DRAFT202012.create_resource(rules)).crawl()
    Draft202012Validator(rules, registry=registry).validate(schema)


def test_every_operation_documents_its_errors_with_one_body(schema: dict[str, Any]) -> None:
    for path, method, operation in operations(schema):
        refusals = {status: told for status, told in operation["responses"].items() if status >= "400"}
        assert {"400", "401", "403", "429", "503"} <= refusals.keys(), (path, method)
        assert ("404" in refusals) >= ("{" in path or method in WRITES), (path, method)
        bodies = {told["content"]["application/json"]["schema"]["$ref"] for told in refusals.values()}
        assert bodies == {"#/components/schemas/Error"}, (path, method)


def test_every_api_view_is_in_the_schema(schema: dict[str, Any]) -> None:
    """Each address with each of its methods, except the schema itself and its page, which docs/api.md describes."""
    told = {(re.sub(r"{.*?}", "{}", path), method) for path, method, _ in operations(schema)}
    there = {
        (re.sub("<.*?>", "{}", f"/api/v1/{pattern.pattern}"), method)
        for api in apis
        for pattern in api.urls
        for method in WRITES | {"get"}
        if hasattr(pattern.callback.cls, method)
    }
    assert told == there
    beside = [
        pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern) and "api/" in str(pattern.pattern)
    ]
    assert beside == ["schema", "docs"]


def test_concurrent_requests_build_the_schema_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its generator is not thread-safe: the first two callers of a process used to get a 500."""
    made, both_ask, make = [], Barrier(2), SchemaGenerator.get_schema

    def slowly(self: SchemaGenerator, **more: Any) -> Any:
        made.append(self)
        return make(self, **more)

    def ask(page: str) -> int:
        both_ask.wait()
        return Client(raise_request_exception=False).get(page).status_code

    monkeypatch.setattr(SchemaGenerator, "get_schema", slowly)
    openapi._generated.cache_clear()
    home_and_error_pages._calls.cache_clear()
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(ask, page) for page in ("/api/v1/schema/?version=a%0d%0ab", "/api/v1/docs/")]
        assert [answer.result() for answer in answers] == [200, 200]
    assert len(made) == 1


@pytest.mark.parametrize("accept", ["text/html", "application/xml;q=0.9", "nonsense"])
def test_the_api_answers_in_json_whatever_the_client_accepts(workspace: Workspace, accept: str) -> None:
    """`format` is an unknown query parameter like any other."""
    caller = service(workspace, "kb:read")
    answer = caller.get("/api/v1/me", headers={"Accept": accept})
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")
    answer = caller.get("/api/v1/me?format=xml", headers={"Accept": accept})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["format"])


def test_an_overlarge_body_is_reported_as_such(workspace: Workspace) -> None:
    editor = service(workspace, "kb:write")
    answer = editor.post("/api/v1/articles", {"title": "Returns", "body": "x" * 5 * 1024 * 1024}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert not Article.objects.filter(workspace=workspace).exists()


def test_responses_match_the_schema_for_each_role(
    schema: dict[str, Any], workspace: Workspace, bob: User, alice: Customer
) -> None:
    conversation = start_conversation(alice.pk)
    ticket = request(conversation.pk, reason=Reason.OTHER, by=Requester.CUSTOMER)
    addresses = {
        "/api/v1/me": "",
        "/api/v1/conversations": "",
        "/api/v1/conversations/{conversation_id}": conversation.pk,
        "/api/v1/conversations/{conversation_id}/events": conversation.pk,
        "/api/v1/tickets/{ticket_id}": ticket.pk,
        "/api/v1/action-requests": "",
    }
    for reader in (person(workspace, bob), signed_in(create_channel(workspace, "Storefront"), alice)):
        for path, key in addresses.items():
            answer = reader.get(re.sub(r"{.*?}", str(key), path))
            told = schema["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
            assert answer.status_code == 200, (path, answer.content)
            Draft202012Validator({**told, "components": schema["components"]}).validate(answer.json())


def test_every_operation_has_a_description(schema: dict[str, Any]) -> None:
    said = {(path, method): operation.get("description", "") for path, method, operation in operations(schema)}
    assert [call for call, words in said.items() if not words or "A view that" in words] == []


def test_bodies_refuse_unknown_fields_and_unstorable_text(schema: dict[str, Any]) -> None:
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


def test_each_body_has_an_example_and_valid_links(schema: dict[str, Any]) -> None:
    """Empty bodies need no example, and a future time would not stay in the future."""
    ids = {operation["operationId"] for _, _, operation in operations(schema)}
    for path, method, operation in operations(schema):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body and "Nothing" not in str(body) and "Empty" not in str(body) and "Snooze" not in str(body):
            told = Draft202012Validator({**body["schema"], "components": schema["components"]})
            assert body["examples"], (path, method)
            for shown in body["examples"].values():
                told.validate(shown["value"])
        for answer in operation["responses"].values():
            assert {link["operationId"] for link in answer.get("links", {}).values()} <= ids
    made = schema["paths"]["/api/v1/articles"]["post"]["responses"]["201"]["links"]["articles_publish_create"]
    assert made["parameters"] == {"article_id": "$response.body#/id"}


TRIED: dict[tuple[str, str], dict[str, list[Any]]] = {
    ("channels", "ChannelInputRequest"): {
        "name": ["Shop", " Shop ", "x" * 120 + " ", "\u00a0", "\x1c", " ", "", 0, None, "a\x00b"],
        "allowed_origins": [
            ["https://shop.example"],
            ["http://shop.eu.example:8080"],
            ["shop.example"], ["https://"], ["https://a/b"], [1], [" https://shop.example"],
        ],
        "greeting": ["Hello", " Hello ", " ", "x" * 300 + " "],
        "accent": ["", "#1f5b45", "green", " ", "#1f5b45 "],
        "privacy_url": ["", "https://shop.example/privacy?of=me", "shop.example", "ftp://a.bc", "https://a.bc "],
        "greetings": [{}, {"de": "Hallo"}, {"de": ""}, {"german": "Hallo"}, {"de": "Hal\nlo"}, {"de": 1}, None, [], ""],
        "suggestions": [{}, {"en": ["Where?"]}, {"en": ["a"] * 4}, {"en": ["x" * 81]}, {"en": "Where?"}, None, []],
        "locale": ["de-AT", "german", "", " de", "de "],
        "confirms_on_hosted_page": [True, False, 0, 1, "true", None],
    },
    ("articles", "NewArticleRequest"): {
        "title": ["Returns", " Returns ", " ", "x" * 301, "x" + "  y" * 110, 7],
        "body": ["Sixty days.", "\n", "", "a\x00b"],
        "locale": ["de_AT", "?", "de "],
        "category": ["", " ", "x" * 121, "x" + "  y" * 50],
        "external_id": ["a b", " a ", "a\tb", "a\t"],
        "url": ["", "/help", "/help ", " ", "//evil.test", "https://a.test/b?c", "javascript:1"],
    },
    ("conversations/{id}/messages", "MessageInputRequest"): {
        "text": ["Hello", " Hello ", "", " ", "x" * 4_001, 7, "a\x1bb", "\u200b\u00a0", "a\u200bb", "a\tb\r\n\r\nc"],
        "client_id": ["m-1", "ä", "a b", "", "x" * 129],
        "kind": ["note", "shout"],
    },
    ("collections", "NewCollectionRequest"): {"name": ["Help", "", "\u2003", 0, "x" * 121, "x" + "  y" * 50]},
    ("tickets/{id}/return", "ReturnInputRequest"): {"note": ["", " ", "They wait.", "x" * 2_001, "a\x1bb", "a\u009fb"]},
}  # fmt: skip
WHOLE: dict[str, dict[str, Any]] = {
    "channels": {"name": "Shop"},
    "articles": {"title": "Returns", "body": "Sixty days."},
    "conversations/{id}/messages": {"client_id": "m-1", "text": "Hello", "kind": "note"},
    "collections": {},
    "tickets/{id}/return": {},
}


@pytest.mark.one_in(3)
@pytest.mark.parametrize(("path", "name"), TRIED)
def test_the_schema_and_the_api_accept_the_same_bodies(
    schema: dict[str, Any], workspace: Workspace, bob: User, alice: Customer, path: str, name: str
) -> None:
    told = Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": schema["components"]})
    conversation = start_conversation(alice.pk)
    caller, target = service(workspace, "channels:write", "kb:write"), conversation.pk
    if "{id}" in path:
        caller = person(workspace, bob)
    if "tickets" in path:
        target = request(conversation.pk, reason=Reason.OTHER, by=Requester.CUSTOMER).pk
        caller.post(f"/api/v1/tickets/{target}/claim")
    wrong = []
    for body in ({**WHOLE[path], field: value} for field, values in TRIED[path, name].items() for value in values):
        with transaction.atomic():
            answer = caller.post(f"/api/v1/{path}".format(id=target), body, format="json")
            transaction.set_rollback(True)  # so that each body is sent to the same state
        if answer.status_code not in ((200, 201) if told.is_valid(body) else (400,)):
            wrong.append((str(body)[:200], answer.status_code, answer.content))
    assert wrong == []


@pytest.mark.parametrize("locale", ["de", "de_AT", "zh-Hant-TW", "0", "german", "!!"])
@pytest.mark.parametrize(("path", "query"), [("articles", {}), ("search", {"q": "returns"})])
def test_the_schema_and_the_api_accept_the_same_queries(
    schema: dict[str, Any], workspace: Workspace, path: str, query: dict[str, str], locale: str
) -> None:
    parameters = schema["paths"][f"/api/v1/{path}"]["get"]["parameters"]
    [told] = [parameter["schema"] for parameter in parameters if parameter["name"] == "locale"]
    answer = service(workspace, "kb:read").get(f"/api/v1/{path}", {**query, "locale": locale})
    assert answer.status_code == (200 if Draft202012Validator(told).is_valid(locale) else 400), answer.content


def test_an_integer_may_have_a_decimal_point(workspace: Workspace) -> None:
    """JSON Schema takes 1.0 for an integer."""
    editor = service(workspace, "kb:write")
    article = editor.post("/api/v1/articles", WHOLE["articles"], format="json").json()["id"]
    answers = [editor.patch(f"/api/v1/articles/{article}", {"based_on": at}, format="json") for at in (1.0, 1.5, "1")]
    assert [answer.status_code for answer in answers] == [200, 400, 400]


@pytest.mark.parametrize("limit", ["0", "00", "-1", "1.5", "many", "", "٣"])
def test_an_invalid_page_size_is_refused(workspace: Workspace, limit: str) -> None:
    tickets = service(workspace, "tickets:read")
    answer = tickets.get("/api/v1/tickets", {"limit": limit})
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["limit"])
    assert tickets.get("/api/v1/tickets?limit=1&limit=2").status_code == 400
    assert tickets.get("/api/v1/tickets", {"limit": "9" * 40}).json()["results"] == []


def test_an_unknown_cursor_is_refused(workspace: Workspace) -> None:
    answer = service(workspace, "tickets:read").get("/api/v1/tickets", {"cursor": "nowhere"})
    assert (answer.status_code, list(answer.json()["fields"])) == (404, ["cursor"])
