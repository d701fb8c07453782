"""Connections in the console: a form for each kind, secrets that are never shown again, and a test explained in
words.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from actions.connections import services
from actions.connections.auth import Auth
from actions.connections.models import Connection
from actions.models import AuditEntry
from supportbot.accounts.models import Workspace
from supportbot.outbound.ip_addresses import LOOPBACK
from tests.actions.connections.fake_api import FakeApi, fake_api
from tests.actions.raw_server import reply
from tests.console.conftest import Enter

pytestmark = pytest.mark.django_db
CONNECTIONS = "/admin/actions/connection/"
TOKEN = "tok-Zanzibar"


@pytest.fixture
def admin(enter: Enter) -> Client:
    return enter("admin")


@pytest.fixture
def api(settings: Any) -> Iterator[FakeApi]:
    settings.PRIVATE_NETWORKS = LOOPBACK
    with fake_api() as made:
        yield made


@pytest.fixture
def connection(workspace: Workspace, api: FakeApi) -> Connection:
    return services.create(services.Draft("shop", f"{api.url}/v1", auth="bearer", secret=TOKEN), actor="test")


def filled(**more: str) -> dict[str, str]:
    return {"name": "shop", "environment": "live", "base_url": "https://shop.example/api", "test_path": "/", **more}


def errors_on(answer: Any) -> list[str]:
    return [" ".join(one.text().split()) for one in LexborHTMLParser(answer.content.decode()).css(".err")]


def test_the_kind_is_chosen_first_and_each_has_a_form(admin: Client) -> None:
    page = LexborHTMLParser(admin.get(f"{CONNECTIONS}add/").content.decode())
    chosen = [link.attributes["href"] for link in page.css("main a.btn")]
    assert chosen == [f"{CONNECTIONS}add/?auth={auth}" for auth in Auth.values]
    names = {}
    for address in chosen:
        form = LexborHTMLParser(admin.get(address or "").content.decode())
        names[address] = [field.attributes["name"] for field in form.css(".fields [name]")]
    assert names[f"{CONNECTIONS}add/?auth=none"] == ["name", "environment", "base_url", "test_path"]
    assert names[f"{CONNECTIONS}add/?auth=basic"][-2:] == ["set_username", "secret"]
    assert "set_token_url" in names[f"{CONNECTIONS}add/?auth=oauth_client_credentials"]


def test_a_connection_is_added_and_its_secret_never_shown(admin: Client) -> None:
    sent = filled(set_header="X-Key", set_prefix="Key ", secret=TOKEN)
    answer = admin.post(f"{CONNECTIONS}add/?auth=header", sent, follow=True)
    assert "Saved: shop." in answer.content.decode()
    made = Connection.objects.get()
    assert (made.auth, made.settings, made.secret) == ("header", {"header": "X-Key", "prefix": "Key "}, TOKEN)
    for page in ("", f"{made.pk}/change/", f"{made.pk}/history/", f"{made.pk}/delete/"):
        assert TOKEN not in admin.get(f"{CONNECTIONS}{page}").content.decode(), page
    assert AuditEntry.objects.get().event == "connection.created"


@pytest.mark.parametrize(
    ("auth", "wrong", "told"),
    [
        ("bearer", {"base_url": "https://10.0.0.8"}, "set PRIVATE_NETWORKS=10.0.0.0/24, for example, and restart"),
        ("bearer", {"base_url": "http://shop.example"}, "must use https"),
        ("bearer", {"name": "Shop 1"}, "lowercase letters"),
        ("bearer", {"test_path": "health"}, "begins with a slash"),
        ("bearer", {"environment": "staging"}, "valid choice"),
        ("bearer", {"secret": "two words"}, "without spaces"),
        ("header", {"set_header": "Host"}, "cannot be set"),
        ("hmac", {"set_signed": "{secret}"}, "{secret} is not known here."),
        ("oauth_client_credentials", {"set_client_id": "a"}, "required"),
        ("mtls", {"secret": "-----BEGIN PRIVATE KEY-----\nZanzibar"}, "PEM certificate"),
    ],
)
def test_an_error_is_shown_next_to_its_field_and_secrets_are_not_repeated(
    auth: str, wrong: dict[str, str], told: str, admin: Client
) -> None:
    given = {"secret": TOKEN, "set_header": "X-Key", "set_value": "{signature}", "set_signed": "{body}"}
    answer = admin.post(f"{CONNECTIONS}add/?auth={auth}", filled(**{**given, **wrong}))
    assert answer.status_code == 200 and any(told in one for one in errors_on(answer))
    assert "Zanzibar" not in answer.content.decode() and not Connection.objects.exists()


def test_an_edit_keeps_the_secret_unless_it_would_go_to_another_host(
    admin: Client, connection: Connection, api: FakeApi
) -> None:
    page = f"{CONNECTIONS}{connection.pk}/change/"
    admin.post(page, {"base_url": f"{api.url}/v2", "test_path": "/health", "secret": ""})
    stored = Connection.objects.get()
    assert (stored.base_url, stored.test_path, stored.secret) == (f"{api.url}/v2", "/health", TOKEN)
    answer = admin.post(page, {"base_url": "https://attacker.example", "test_path": "/", "secret": ""})
    assert errors_on(answer) == ["Enter the secret again, because it would be sent to a different host."]
    assert Connection.objects.get().base_url == stored.base_url
    admin.post(page, {"base_url": "https://shop.example", "test_path": "/", "secret": "tok-2", "name": "other"})
    stored = Connection.objects.get()
    assert (stored.name, stored.base_url, stored.secret) == ("shop", "https://shop.example", "tok-2")


def test_a_secret_is_replaced(admin: Client, connection: Connection) -> None:
    page = f"{CONNECTIONS}{connection.pk}/rotate/"
    answer = admin.post(page, {"secret": "tok-2"}, follow=True)
    assert "The secret of shop was replaced." in answer.content.decode()
    assert Connection.objects.get().secret == "tok-2"
    for wrong in ({}, {"secret": "two words"}, {"secret": "x", "keep_hours": "9999"}, {"secret": "\x00"}):
        assert "replaced" not in admin.post(page, wrong, follow=True).content.decode()
    assert Connection.objects.get().secret == "tok-2"
    assert admin.get(page).status_code == 405


def test_a_test_shows_each_step(admin: Client, connection: Connection, api: FakeApi) -> None:
    answer = admin.post(f"{CONNECTIONS}{connection.pk}/test/")
    html = " ".join(LexborHTMLParser(answer.content.decode()).css_first("main").text().split())
    assert "Works" in html and "Connected to 127.0.0.1." in html and "GET / returned 200." in html
    api.answer = lambda asked: reply("401 No", b'{"error": "<script>alert(1)</script>"}')
    answer = admin.post(f"{CONNECTIONS}{connection.pk}/test/")
    assert "does not accept these credentials" in answer.content.decode()
    assert TOKEN not in answer.content.decode() and "<script>alert" not in answer.content.decode()
    assert api.asked[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_a_connection_is_deleted_and_recorded(admin: Client, connection: Connection) -> None:
    admin.post(f"{CONNECTIONS}{connection.pk}/delete/", {"post": "yes"})
    assert not Connection.objects.exists()
    assert AuditEntry.objects.order_by("-seq")[0].event == "connection.removed"


@pytest.mark.parametrize("role", ["editor", "agent", "supervisor"])
def test_only_admins_reach_connections(role: str, enter: Enter, connection: Connection, api: FakeApi) -> None:
    client = enter(role)
    for page in ("", "add/", f"{connection.pk}/change/", f"{connection.pk}/delete/"):
        assert client.get(f"{CONNECTIONS}{page}").status_code == 403, page
    for page, sent in (
        ("add/?auth=none", filled()),
        (f"{connection.pk}/change/", {"base_url": api.url, "test_path": "/"}),
        (f"{connection.pk}/rotate/", {"secret": "x"}),
        (f"{connection.pk}/test/", {}),
        (f"{connection.pk}/delete/", {"post": "yes"}),
    ):
        assert client.post(f"{CONNECTIONS}{page}", sent).status_code == 403, page
    assert Connection.objects.get().secret == TOKEN and api.asked == []
    assert CONNECTIONS not in client.get("/admin/").content.decode()


def test_an_admin_of_another_workspace_sees_and_changes_nothing(
    stranger: Client, connection: Connection, api: FakeApi
) -> None:
    assert "shop" not in LexborHTMLParser(stranger.get(CONNECTIONS).content.decode()).css_first("main").text()
    for page, sent in (
        ("change/", {"base_url": api.url, "test_path": "/"}),
        ("rotate/", {"secret": "x"}),
        ("test/", {}),
        ("delete/", {"post": "yes"}),
    ):
        answer = stranger.post(f"{CONNECTIONS}{connection.pk}/{page}", sent, follow=True)
        assert "shop" not in LexborHTMLParser(answer.content.decode()).css_first("body").text().split()
    stored = Connection.objects.get(pk=connection.pk)
    assert (stored.secret, stored.base_url, api.asked) == (TOKEN, connection.base_url, [])
