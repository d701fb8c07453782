"""Channels, customers and the caller's identity over REST."""

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.utils.timezone import now
from rest_framework.test import APIClient

from supportbot.accounts.channels import create_channel
from supportbot.accounts.customers import new_visitor
from supportbot.accounts.models import ApiKey, Channel, Customer, IdentityKey, User, Workspace
from supportbot.accounts.rest.throttles import CallerThrottle
from supportbot.accounts.team_members import add_member
from tests.rest import caller, person, service, signed_in

pytestmark = pytest.mark.django_db
CHANNELS, CUSTOMERS, ME = "/api/v1/channels", "/api/v1/customers", "/api/v1/me"
WORKSPACE = "/api/v1/workspace"


@pytest.fixture
def admins(workspace: Workspace) -> APIClient:
    admin = User.objects.create_user("admin")
    add_member(workspace, admin, "admin")
    return person(workspace, admin, role="admin")


def test_a_new_channel_answers_with_its_secret_once(admins: APIClient, workspace: Workspace, alice: Customer) -> None:
    body = {"name": "Shop", "allowed_origins": ["HTTPS://Shop.Example/", "https://shop.example"]}
    answer = admins.post(CHANNELS, body, format="json")
    made = answer.json()
    assert answer.status_code == 201
    assert made["allowed_origins"] == ["https://shop.example"]
    assert made["snippet"].endswith(f'/widget/v1.js" data-channel="{made["key"]}"></script>')
    assert IdentityKey.objects.get().secret == made["identity_secret"]
    assert "identity_secret" not in admins.get(f"{CHANNELS}/{made['id']}").json()
    assert [row["key"] for row in admins.get(CHANNELS).json()["results"]] == [made["key"]]


@pytest.mark.parametrize(
    ("ours", "of_the_workspace", "expected"),
    [
        ("#1f5b45", "#7a4a21", ' data-accent="#1f5b45"'),
        ("", "#7a4a21", ' data-accent="#7a4a21"'),
        ("", "#ffd400", ' data-accent="#ffd400" data-on-accent="#1e1c19"'),
    ],
)
def test_the_tag_has_the_colours_of_the_launcher(
    admins: APIClient, workspace: Workspace, ours: str, of_the_workspace: str, expected: str
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(accent=of_the_workspace)
    channel = create_channel(workspace, "Shop").channel
    Channel.objects.update(accent=ours)
    snippet = admins.get(f"{CHANNELS}/{channel.pk}").json()["snippet"]
    assert snippet.endswith(f'data-channel="{channel.key}"{expected}></script>')


def test_a_channel_changes_and_keeps_its_key(admins: APIClient, workspace: Workspace) -> None:
    channel = create_channel(workspace, "Shop").channel
    body = {"name": "Store", "is_live": False, "allowed_origins": ["http://a.example:80", "http://a.example"]}
    answer = admins.patch(f"{CHANNELS}/{channel.pk}", body, format="json")
    stored = Channel.objects.get()
    assert answer.status_code == 200
    assert (stored.name, stored.is_live, stored.allowed_origins, stored.key) == (
        "Store", False, ["http://a.example"], channel.key,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"allowed_origins": ["shop.example"]}, "allowed_origins"),
        ({"allowed_origins": ["https://shop.example/path"]}, "allowed_origins"),
        ({"allowed_origins": ["https://user@shop.example"]}, "allowed_origins"),
        ({"allowed_origins": ["*"]}, "allowed_origins"),
        ({"allowed_origins": ["http://["]}, "allowed_origins"),
        ({"allowed_origins": ["http://[::1%lo]"]}, "allowed_origins"),
        ({"allowed_origins": ["https://exa mple.com"]}, "allowed_origins"),
        ({"allowed_origins": ["https://*.x.com"]}, "allowed_origins"),
        ({"allowed_origins": ["https://:p@h.com"]}, "allowed_origins"),
        ({"allowed_origins": ["https://@h.com"]}, "allowed_origins"),
        ({"allowed_origins": ["https://h.com:0"]}, "allowed_origins"),
        ({"allowed_origins": ["https://h.com:65536"]}, "allowed_origins"),
        ({"allowed_origins": ["https://-h.com"]}, "allowed_origins"),
        ({"allowed_origins": ["https://h..com"]}, "allowed_origins"),
        ({"allowed_origins": ["https://h\u202e.com"]}, "allowed_origins"),
        ({"allowed_origins": ["null"]}, "allowed_origins"),
        ({"allowed_origins": "https://shop.example"}, "allowed_origins"),
        ({"name": ""}, "name"),
        ({"name": "x" * 121}, "name"),
        ({"locale": "no such"}, "locale"),
        ({"locale": "xx"}, "locale"),
        ({"key": "pk_mine"}, "key"),
        ({"workspace": "other"}, "workspace"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_changes(
    admins: APIClient, workspace: Workspace, body: dict[str, Any], field: str
) -> None:
    channel = create_channel(workspace, "Shop").channel
    before = list(Channel.objects.values())
    for answer in (
        admins.patch(f"{CHANNELS}/{channel.pk}", body, format="json"),
        admins.post(CHANNELS, {"name": "Another", **body}, format="json"),
    ):
        assert answer.status_code == 400
        assert {name.split(".")[0] for name in answer.json()["fields"]} == {field}
    assert list(Channel.objects.values()) == before


@pytest.mark.one_in(3)
@pytest.mark.parametrize("inside", ["p=abc", "p=%00", "p=", "o=x", "\u00ff"])
@pytest.mark.parametrize("address", [CHANNELS, CUSTOMERS, "/api/v1/conversations", "/api/v1/tickets"])
def test_an_invalid_cursor_is_refused_by_name(admins: APIClient, inside: str, address: str) -> None:
    answer = admins.get(address, {"cursor": b64encode(inside.encode("latin-1")).decode()})
    assert (answer.status_code, list(answer.json()["fields"])) == (404, ["cursor"])


def test_the_cursor_leads_to_the_next_page(admins: APIClient, workspace: Workspace) -> None:
    names = [create_channel(workspace, name).channel.name for name in "abc"]
    page = admins.get(CHANNELS, {"limit": 2}).json()
    rest = admins.get(page["next"]).json()
    assert [row["name"] for row in page["results"] + rest["results"]] == names[::-1]
    assert rest["next"] is None


LINKS = {"imprint_url": "https://shop.example/imprint", "privacy_url": "https://shop.example/privacy?of=me"}


def test_the_workspaces_links_change_and_its_help_pages_show_them(
    admins: APIClient, workspace: Workspace, other_workspace: Workspace
) -> None:
    told = admins.get(WORKSPACE).json()
    assert (told["slug"], told["imprint_url"], told["privacy_url"]) == ("wrenfell", "", "")
    answer = admins.patch(WORKSPACE, {**LINKS, "name": "Wrenfell & Co"}, format="json")
    assert (answer.status_code, answer.json()) == (200, {**told, **LINKS, "name": "Wrenfell & Co"})
    shown = APIClient().get("/help/wrenfell/").content.decode()
    assert all(address in shown for address in LINKS.values())
    other_workspace.refresh_from_db()
    assert other_workspace.imprint_url == ""
    assert admins.patch(WORKSPACE, {"imprint_url": ""}, format="json").json()["imprint_url"] == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("imprint_url", "shop.example/imprint"),
        ("privacy_url", "javascript:alert(1)"),
        ("privacy_url", "https://shop.example/" + "x" * 300),
        ("accent", "green"),
        ("locale", "no such"),
        ("locale", "xx"),
        ("name", " "),
        ("currency", "USD"),
        ("slug", "mine"),
        ("hides_personal_data", False),
    ],
)
def test_an_invalid_setting_of_the_workspace_is_refused_by_name(
    admins: APIClient, workspace: Workspace, field: str, value: Any
) -> None:
    before = admins.get(WORKSPACE).json()
    answer = admins.patch(WORKSPACE, {**LINKS, field: value}, format="json")
    assert (answer.status_code, list(answer.json()["fields"])) == (400, [field])
    assert admins.get(WORKSPACE).json() == before


@pytest.mark.parametrize("role", ["agent", "supervisor", "editor"])
def test_only_an_admin_changes_the_workspace(workspace: Workspace, bob: User, role: str) -> None:
    add_member(workspace, bob, role)
    client = person(workspace, bob, role="admin")  # the key has more scopes than its person has rights
    assert [client.get(WORKSPACE).status_code, client.patch(WORKSPACE, LINKS, format="json").status_code] == [403, 403]
    workspace.refresh_from_db()
    assert workspace.imprint_url == ""


def test_a_key_for_channels_cannot_change_the_workspace(workspace: Workspace) -> None:
    client = service(workspace, "channels:write")
    assert client.patch(WORKSPACE, LINKS, format="json").status_code == 403
    workspace.refresh_from_db()
    assert workspace.imprint_url == ""


@pytest.mark.parametrize("role", ["agent", "supervisor", "editor"])
def test_only_an_admin_sees_or_creates_channels(workspace: Workspace, bob: User, role: str) -> None:
    add_member(workspace, bob, role)
    client = person(workspace, bob, role="admin")  # the key has more scopes than its person has rights
    assert client.get(CHANNELS).status_code == 403
    assert client.post(CHANNELS, {"name": "Mine"}, format="json").status_code == 403
    assert not Channel.objects.exists()


def test_an_admins_key_without_the_scope_cannot_create_a_channel(admins: APIClient, workspace: Workspace) -> None:
    narrow = person(workspace, User.objects.get(username="admin"), role="editor")
    assert narrow.post(CHANNELS, {"name": "Mine"}, format="json").status_code == 403
    assert not Channel.objects.exists()


def test_customers_are_found_by_name_address_or_the_merchants_id(workspace: Workspace, alice: Customer) -> None:
    Customer.objects.create(external_id="cus_tom", name="Tom Okafor", email="tom@example.com")
    client = service(workspace, "customers:read")

    def found(**query: str) -> list[str]:
        return [row["name"] for row in client.get(CUSTOMERS, query).json()["results"]]

    assert found() == ["Tom Okafor", "Alice"]
    assert found(search="okaf") == found(search="TOM@") == found(search="cus_tom") == ["Tom Okafor"]
    assert found(external_id="cus_alice") == ["Alice"]
    assert found(search="cus_t") == found(search="a\0b") == found(external_id="\0") == []
    assert client.get(f"{CUSTOMERS}/{alice.pk}").json()["email"] == "alice@example.com"


def test_a_key_without_the_scope_sees_no_customer(workspace: Workspace, alice: Customer) -> None:
    client = service(workspace, "kb:read")
    assert client.get(CUSTOMERS).status_code == 403
    assert client.get(f"{CUSTOMERS}/{alice.pk}").status_code == 403


def test_me_shows_who_a_credential_identifies(workspace: Workspace, bob: User, alice: Customer) -> None:
    channel = create_channel(workspace, "Shop")
    visitor = new_visitor(channel.channel)
    bobs = person(workspace, bob).get(ME).json()
    assert (bobs["kind"], bobs["id"], bobs["name"], bobs["role"], bobs["workspace"]) == (
        "staff", str(bob.pk), "Bob", "agent", "wrenfell",
    )  # fmt: skip
    robot = service(workspace, "kb:read").get(ME).json()
    assert (robot["id"], robot["name"], robot["scopes"]) == (None, "service", ["kb:read"])
    alices = signed_in(channel, alice).get(ME).json()
    assert (alices["kind"], alices["id"], alices["is_verified"]) == ("customer", str(alice.pk), True)
    assert caller(visitor.secret).get(ME).json()["is_verified"] is False


def test_the_last_use_of_a_key_is_recorded_to_the_minute(workspace: Workspace) -> None:
    client = service(workspace, "kb:read")

    def used_after(before: datetime | None) -> datetime | None:
        ApiKey.objects.update(last_used_at=before)
        assert client.get(ME).status_code == 200
        return ApiKey.objects.get().last_used_at

    recently, long_ago = now() - timedelta(seconds=30), now() - timedelta(minutes=2)
    assert used_after(recently) == recently
    for before in (None, long_ago):
        used = used_after(before)
        assert used is not None and used > recently


def test_keys_of_the_same_name_in_two_workspaces_are_throttled_separately(
    workspace: Workspace, other_workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.clear()
    monkeypatch.setattr(CallerThrottle, "rate", "1/min", raising=False)
    ours, theirs = service(workspace, "kb:read"), service(other_workspace, "kb:read")
    assert [client.get(ME).status_code for client in (ours, ours, theirs)] == [200, 429, 200]


LISTS = "action-requests actions articles channels collections conversations customers search tickets me workspace"


@pytest.mark.parametrize("path", LISTS.split())
def test_an_unknown_query_parameter_is_refused_everywhere(admins: APIClient, workspace: Workspace, path: str) -> None:
    asked = {"colour": "red"} | ({"q": "x"} if path == "search" else {})
    answer = admins.get(f"/api/v1/{path}", asked)
    assert (answer.status_code, list(answer.json()["fields"])) == (400, ["colour"])


def test_the_error_for_a_missing_or_wrong_credential_says_what_to_send(admins: APIClient, workspace: Workspace) -> None:
    nobody = APIClient().get(ME)
    assert (nobody.status_code, nobody.json()["code"]) == (401, "not_authenticated")
    assert "Authorization: Bearer" in nobody.json()["message"]
    team = admins.post("/api/v1/conversations", {}, format="json")
    assert team.status_code == 403
    assert "identity token" in team.json()["message"]
