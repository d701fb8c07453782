"""Creating, changing, rotating and testing connections: refusals with their reasons, and secrets that never leak."""

import ssl
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection as database

from actions.audit import verify
from actions.connections import services
from actions.connections.client import Call, Client
from actions.connections.models import Connection
from actions.connections.selectors import connection_named, connection_with_id, listed_connections
from actions.errors import NotConnected
from actions.models import AuditEntry
from actions.tasks import forget_old_secrets
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.workspaces import create_workspace
from supportbot.errors import InvalidInput, NotFound
from tests.actions.connections.conftest import WEBHOOK_SECRET
from tests.actions.connections.fake_api import FakeApi
from tests.actions.raw_server import reply
from tests.outbound.conftest import certify, outside, serve  # noqa: F401  # fixtures

pytestmark = pytest.mark.django_db
Connect = Callable[..., Connection]
GOOD = "https://shop.example/api"


def events() -> list[tuple[str, dict[str, Any]]]:
    return list(AuditEntry.objects.order_by("seq").values_list("event", "payload"))


def test_a_secret_is_stored_encrypted_and_recorded_nowhere(connect: Connect) -> None:
    made = connect("bearer", secret="topsecrettoken")
    with database.cursor() as cursor:
        cursor.execute("SELECT secret FROM actions_connection WHERE id = %s", [made.pk])
        [stored] = cursor.fetchone()
    assert "topsecrettoken" not in stored and connection_with_id(made.pk).secret == "topsecrettoken"
    assert "topsecrettoken" not in f"{made} {made!r} {events()}"
    assert events() == [
        (
            "connection.created",
            {
                "connection": "shop",
                "environment": "live",
                "host": made.base_url.removeprefix("http://")[:-3],
                "auth": "bearer",
            },
        )
    ]
    assert verify().is_whole


def test_live_and_sandbox_are_two_connections_with_one_name(connect: Connect) -> None:
    live, sandbox = connect(), connect(environment="sandbox")
    assert (connection_named("shop"), connection_named("shop", "sandbox")) == (live, sandbox)
    assert [str(one) for one in listed_connections()] == ["shop", "shop (sandbox)"]
    with pytest.raises(InvalidInput) as refused:
        connect()
    assert list(refused.value.fields) == ["name"]
    with pytest.raises(NotConnected, match="other"):
        connection_named("other")


def test_a_connection_belongs_to_its_workspace(connect: Connect) -> None:
    made = connect("bearer")
    stranger = create_workspace("Stranger Ltd", currency="EUR")
    with workspace_scope(stranger.pk):
        assert not listed_connections().exists()
        for attempt in (
            lambda: connection_with_id(made.pk),
            lambda: services.update(made.pk, base_url=GOOD, actor="mallory"),
            lambda: services.rotate(made.pk, "x", actor="mallory"),
            lambda: services.remove(made.pk, actor="mallory"),
        ):
            with pytest.raises(NotFound):
                attempt()
        assert events() == []
        services.create(services.Draft("shop", GOOD), actor="mallory")  # the name is free here
    assert connection_with_id(made.pk).base_url == made.base_url


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "Shop"}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "x" * 61}, "name"),
        ({"environment": "production"}, "environment"),
        ({"auth": "kerberos"}, "auth"),
        ({"base_url": "shop.example"}, "base_url"),
        ({"base_url": "http://shop.example"}, "base_url"),
        ({"base_url": "https://10.0.0.8"}, "base_url"),
        ({"base_url": f"{GOOD}?key=1"}, "base_url"),
        ({"base_url": "https://u:p@shop.example"}, "base_url"),
        ({"base_url": f"https://shop.example/{'x' * 300}"}, "base_url"),
        ({"test_path": "health"}, "test_path"),
        ({"test_path": "/a b"}, "test_path"),
        ({"secret": "x"}, "secret"),
        ({"settings": {"header": "X"}}, "header"),
        ({"auth": "bearer"}, "secret"),
        ({"auth": "bearer", "secret": "two words"}, "secret"),
        ({"auth": "bearer", "secret": "line\r\nbreak"}, "secret"),
        ({"auth": "bearer", "secret": "x" * 20_001}, "secret"),
        ({"auth": "basic", "secret": "x"}, "username"),
        ({"auth": "basic", "secret": "x", "settings": {"username": "a:b"}}, "username"),
        ({"auth": "header", "secret": "x", "settings": {"header": "Host"}}, "header"),
        ({"auth": "header", "secret": "x", "settings": {"header": "X\r\nY"}}, "header"),
        ({"auth": "header", "secret": "x", "settings": {"header": 7}}, "header"),
        ({"auth": "header", "secret": "\u00e4"}, "secret"),
        ({"auth": "hmac", "secret": "x", "settings": {"signed": "{secret}"}}, "signed"),
        ({"auth": "hmac", "secret": "x", "settings": {"value": "v1"}}, "value"),
        ({"auth": "hmac", "secret": "x", "settings": {"algorithm": "md5"}}, "algorithm"),
        ({"auth": "hmac", "secret": "not hex", "settings": {"secret_encoding": "hex"}}, "secret"),
        ({"auth": "standard_webhooks", "secret": "whsec_c2hvcnQ="}, "secret"),
        ({"auth": "oauth_client_credentials", "secret": "x", "settings": {"client_id": "a"}}, "token_url"),
        (
            {
                "auth": "oauth_client_credentials",
                "secret": "x",
                "settings": {"client_id": "a", "token_url": "http://169.254.169.254/token"},
            },
            "token_url",
        ),
        ({"auth": "mtls", "secret": "-----BEGIN CERTIFICATE-----"}, "secret"),
    ],
)
def test_an_invalid_field_is_named_and_nothing_is_stored(
    changes: dict[str, Any], field: str, workspace: Workspace
) -> None:
    with pytest.raises(InvalidInput) as refused:
        services.create(services.Draft(**{"name": "shop", "base_url": GOOD, **changes}), actor="test")
    assert list(refused.value.fields) == [field] and refused.value.fields[field][0].endswith(".")
    assert not Connection.objects.exists() and events() == []


def test_a_new_host_requires_the_secret_again(connect: Connect) -> None:
    made = connect("header")
    with pytest.raises(InvalidInput) as refused:
        services.update(made.pk, base_url="https://attacker.example", actor="test")
    assert list(refused.value.fields) == ["secret"]
    assert connection_with_id(made.pk).base_url == made.base_url
    moved = services.update(made.pk, base_url=f"{made.base_url}/v2", settings={"prefix": "Key "}, actor="test")
    assert (moved.secret, moved.settings["prefix"]) == ("key-1", "Key ")
    services.update(made.pk, base_url=GOOD, secret="key-2", actor="test")
    assert connection_with_id(made.pk).secret == "key-2"
    assert [payload.get("fields") for _, payload in events()[1:]] == ["settings base_url", "base_url secret"]


def test_a_new_token_address_requires_the_secret_again(connect: Connect) -> None:
    made = connect("oauth_client_credentials")
    with pytest.raises(InvalidInput) as refused:
        services.update(made.pk, settings={"token_url": "https://attacker.example/token"}, actor="test")
    assert list(refused.value.fields) == ["secret"]


def test_a_signing_secret_stays_when_the_address_changes(connect: Connect) -> None:
    made = connect("standard_webhooks")
    assert services.update(made.pk, base_url=GOOD, actor="test").secret == WEBHOOK_SECRET


def test_saving_without_a_change_records_nothing(connect: Connect) -> None:
    made = connect("bearer")
    services.update(made.pk, base_url=made.base_url, settings={}, test_path="/", actor="test")
    assert [event for event, _ in events()] == ["connection.created"]


def test_rotation_keeps_the_old_secret_only_if_both_can_sign(connect: Connect) -> None:
    plain, signed = connect("bearer", "plain"), connect("standard_webhooks", "signed")
    plain = services.rotate(plain.pk, "tok-2", keep_hours=24, actor="test")
    assert (plain.secrets, plain.previous_secret) == (("tok-2",), "")
    new = "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg=="
    signed = services.rotate(signed.pk, new, keep_hours=24, actor="test")
    assert signed.secrets == (new, WEBHOOK_SECRET)
    assert services.rotate(signed.pk, WEBHOOK_SECRET, actor="test").secrets == (WEBHOOK_SECRET,)
    assert [payload["keep_hours"] for _, payload in events()[2:]] == [0, 24, 0]


def test_an_old_secret_is_deleted_when_it_expires(connect: Connect) -> None:
    made = connect("standard_webhooks")
    services.rotate(made.pk, "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg==", keep_hours=1, actor="test")
    forget_old_secrets()
    assert connection_with_id(made.pk).previous_secret == WEBHOOK_SECRET
    Connection.objects.update(previous_until=made.created_at)
    forget_old_secrets()
    assert (connection_with_id(made.pk).previous_secret, connection_with_id(made.pk).previous_until) == ("", None)


@pytest.mark.parametrize(
    ("secret", "hours", "field"),
    [("", 0, "secret"), ("tok-1", 0, "secret"), ("x", -1, "keep_hours"), ("x", 721, "keep_hours")],
)
def test_an_invalid_rotation_is_refused(secret: str, hours: int, field: str, connect: Connect) -> None:
    made = connect("bearer")
    with pytest.raises(InvalidInput) as refused:
        services.rotate(made.pk, secret, keep_hours=hours, actor="test")
    assert list(refused.value.fields) == [field] and connection_with_id(made.pk).secret == "tok-1"


def test_a_removed_connection_is_gone_and_recorded(connect: Connect) -> None:
    services.remove(connect("bearer").pk, actor="test")
    assert not Connection.objects.exists() and events()[-1][0] == "connection.removed"


def test_a_test_reports_its_result_in_words(connect: Connect, api: FakeApi) -> None:
    made = connect("bearer", test_path="/health?deep=1")
    report = services.test(made, actor="test")
    assert report.is_ok and [step.words for step in report.steps] == [
        "The name resolves to 127.0.0.1.",
        "Connected to 127.0.0.1.",
        "GET /health returned 200.",
    ]
    assert (api.asked[0].method, api.asked[0].path) == ("GET", "/v1/health?deep=1")
    event, payload = events()[-1]
    assert (event, payload["outcome"]) == ("connection.tested", "answered_200")


@pytest.mark.parametrize(
    ("answer", "words", "outcome"),
    [
        (reply("401 Unauthorized", b"{}"), "does not accept these credentials", "answered_401"),
        (reply("404 Not Found", b"{}"), "choose a test path", "answered_404"),
        (reply("500 Oops", b"{}"), "not a success", "answered_500"),
        (reply("200 OK", b"<html>", kind="text/html"), "without JSON", "no_answer"),
        (reply("302 Found", b"", more="Location: http://10.0.0.1/\r\n"), "redirects are not followed", "no_answer"),
        (b"", "no response", "no_answer"),
    ],
)
def test_a_failed_test_reports_the_reason(
    answer: bytes, words: str, outcome: str, connect: Connect, api: FakeApi
) -> None:
    api.answer = lambda asked: answer
    report = services.test(connect("bearer"), actor="test")
    assert not report.is_ok and report.outcome == outcome and events()[-1][1]["outcome"] == outcome
    assert words in report.steps[-1].words and "tok-1" not in str(report)


def test_a_test_of_a_closed_address_says_what_to_do(connect: Connect, settings: Any) -> None:
    made = connect("bearer")
    settings.PRIVATE_NETWORKS = ()
    # The same happens if a host name resolves to this address.
    Connection.objects.filter(pk=made.pk).update(base_url="https://10.1.2.3/api")
    report = services.test(connection_with_id(made.pk), actor="test")
    [step] = report.steps
    assert "10.1.2.3" in step.words and "PRIVATE_NETWORKS" in step.words and report.outcome == "not_sent"


def test_a_client_certificate_is_sent_to_a_server_that_requires_one(
    workspace: Workspace,
    certify: Any,  # noqa: F811
    outside: Any,  # noqa: F811
    serve: Any,  # noqa: F811
) -> None:
    own = certify("client.test")
    outside.dns["shop.example"] = [["93.184.216.34"]]
    made = services.create(services.Draft("shop", GOOD, auth="mtls", secret=own.read_text()), actor="test")
    with serve(reply("200 OK", b"{}")) as server:
        server.tls.verify_mode = ssl.CERT_REQUIRED
        server.tls.load_verify_locations(own)
        assert Client(made).send(Call("GET", "/")).status == 200
        report = services.test(made, actor="test")
    assert report.is_ok and "TLSv1." in report.steps[2].words
    assert b"PRIVATE KEY" not in b"".join(server.received)
