"""Channels, keys and workspaces in the console: secrets are shown once, and wrong values are reported."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils.timezone import now
from selectolax.lexbor import LexborHTMLParser

from actions.audit import actor_of
from actions.models import AuditEntry
from supportbot.accounts.api_keys import staff_by_api_key
from supportbot.accounts.channels import create_channel
from supportbot.accounts.errors import InvalidKey
from supportbot.accounts.models import ApiKey, Channel, Customer, IdentityKey, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.team_members import add_member
from supportbot.chat.models import Conversation, RetentionRun
from supportbot.chat.services import start_conversation
from tests.console.conftest import Enter, logged_in, person

pytestmark = pytest.mark.django_db
CHANNELS, KEYS = "/admin/accounts/channel/", "/admin/accounts/apikey/"
TEAM, WORKSPACES = "/admin/accounts/membership/", "/admin/accounts/workspace/"


@pytest.fixture(autouse=True)
def _no_counts() -> None:
    cache.clear()  # the cache survives the test


@pytest.fixture
def admin(enter: Enter) -> Client:
    return enter("admin")


def secret_on(answer: Any) -> str:
    assert answer.status_code == 200
    assert "no-store" in answer.headers["Cache-Control"]
    return LexborHTMLParser(answer.content.decode()).css_first("#secret").attributes["value"] or ""


def channel(**more: str) -> dict[str, str]:
    return {"name": "Shop", "allowed_origins": "https://shop.example", "locale": "en", "is_live": "on", **more}


def test_a_new_channel_begins_with_the_workspaces_colour(admin: Client, workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(accent="#7a4a21")
    page = LexborHTMLParser(admin.get(f"{CHANNELS}add/").content.decode())
    assert page.css_first(".swatch").attributes["value"] == "#7a4a21"
    assert page.css_first("#id_accent").attributes["placeholder"] == "#7a4a21"
    assert not page.css_first("#id_accent").attributes.get("value")


def test_a_new_channel_shows_its_secret_once(admin: Client) -> None:
    answer = admin.post(f"{CHANNELS}add/", channel(accent="#1f5b45", suggestion_lines="Where is my parcel?\n"))
    secret = secret_on(answer)
    made = Channel.objects.get()
    assert IdentityKey.objects.get().secret == secret
    assert (made.allowed_origins, made.accent) == (["https://shop.example"], "#1f5b45")
    assert made.suggestions_in("en") == ["Where is my parcel?"]
    html = admin.get(f"{CHANNELS}{made.pk}/change/").content.decode()
    assert secret not in html
    assert f"data-channel=&quot;{made.key}&quot;" in html


@pytest.mark.parametrize("address", ["channel/add/", "workspace/{workspace}/change/"])
def test_a_language_is_asked_for_by_its_name_or_code(enter: Enter, workspace: Workspace, address: str) -> None:
    answer = enter("admin").get(f"/admin/accounts/{address.format(workspace=workspace.pk)}")
    page = LexborHTMLParser(answer.content.decode())
    assert page.body is not None and "Type its name, or a code such as en or de." in page.body.text()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"allowed_origins": "https://shop.example/path"}, "is not an origin"),
        ({"allowed_origins": "*"}, "is not an origin"),
        ({"allowed_origins": "x" * 6_000}, f"“{'x' * 99}…” is not an origin"),
        ({"allowed_origins": "https://m\u202eünchen.example"}, "is not an origin"),
        (
            {"allowed_origins": "\n".join(f"https://{number}.example" for number in range(51))},
            "Enter at most 50 origins; you entered 51.",
        ),
        ({"greeting": "Hi {name"}, ">Write curly brackets only in {name}"),
        ({"other_greetings": "de: Hallo {vorname}"}, ">de: Write curly brackets only in {name}"),
        ({"accent": "red"}, "Enter a colour such as #1f5b45."),
        ({"privacy_url": "javascript:x"}, "Enter an address such as"),
        ({"suggestion_lines": "1\n2\n3\n4"}, ">Enter at most 3 suggestions."),
        ({"suggestion_lines": "x" * 81}, ">A line can have at most 80 characters."),
        ({"other_suggestions": f"de: {'x' * 81}"}, ">de: A line can have at most 80 characters."),
        ({"locale": "e n"}, "This language is unknown. Type its name, or a code"),
        ({"locale": "12345"}, "This language is unknown. Type its name, or a code"),
        ({"locale": "xx"}, "This language is unknown. Type its name, or a code"),
        ({"name": ""}, "required"),
    ],
)
def test_an_invalid_value_is_reported_next_to_its_field_and_changes_nothing(
    admin: Client, workspace: Workspace, wrong: dict[str, str], said: str
) -> None:
    made = create_channel(workspace, "Old", allowed_origins=["https://old.example"]).channel
    answer = admin.post(f"{CHANNELS}{made.pk}/change/", channel(**wrong))
    shown = re.sub(r">\s+", ">", answer.content.decode())
    assert (answer.status_code, said in shown) == (200, True)
    made.refresh_from_db()
    assert (made.name, made.allowed_origins) == ("Old", ["https://old.example"])


def test_a_refusal_by_a_service_keeps_what_was_entered(admin: Client, workspace: Workspace) -> None:
    me = Membership.objects.get(role="admin", workspace=workspace)
    typed = {"name": "Ada Lovelace", "email": "ada@example.com", "role": "agent"}
    answer = admin.post(f"{TEAM}{me.pk}/change/", typed)
    page = LexborHTMLParser(answer.content.decode())
    assert answer.status_code == 200 and page.css_first("#id_name").attributes["value"] == "Ada Lovelace"
    assert "This is the workspace's only admin." in page.css_first("#form-errors").text()
    me.refresh_from_db()
    assert (me.role, me.user.email) == ("admin", "")


def test_an_origin_is_stored_as_browsers_send_it(admin: Client, workspace: Workspace) -> None:
    made = create_channel(workspace, "Old").channel
    hosts = ("münchen.example", "STRAẞE.example:8443", "παράδειγμα.example/", "xn--mnchen-3ya.example")
    admin.post(f"{CHANNELS}{made.pk}/change/", channel(allowed_origins="\n".join(f"https://{one}" for one in hosts)))
    made.refresh_from_db()
    assert made.allowed_origins == [
        "https://xn--mnchen-3ya.example",
        "https://xn--strae-oqa.example:8443",
        "https://xn--hxajbheg2az3al.example",
    ]


def test_a_changed_channel_keeps_its_keys(admin: Client, workspace: Workspace) -> None:
    made = create_channel(workspace, "Old").channel
    admin.post(
        f"{CHANNELS}{made.pk}/change/", channel(allowed_origins="HTTPS://Shop.Example:443\nhttps://shop.example")
    )
    made.refresh_from_db()
    assert (made.name, made.allowed_origins, made.is_live) == ("Shop", ["https://shop.example"], True)
    admin.post(f"{CHANNELS}{made.pk}/change/", {key: value for key, value in channel().items() if key != "is_live"})
    made.refresh_from_db()
    assert made.is_live is False
    assert IdentityKey.objects.count() == 1


def test_an_old_key_works_until_it_is_revoked(admin: Client, workspace: Workspace) -> None:
    made = create_channel(workspace, "Shop").channel
    secret = secret_on(admin.post(f"{CHANNELS}{made.pk}/keys/"))
    assert {key.kid: key.revoked_at is None for key in IdentityKey.objects.all()} == {"1": True, "2": True}
    assert IdentityKey.objects.get(kid="2").secret == secret
    admin.post(f"{CHANNELS}{made.pk}/keys/1/")
    assert {key.kid: key.revoked_at is None for key in IdentityKey.objects.all()} == {"1": False, "2": True}
    assert admin.get(f"{CHANNELS}{made.pk}/keys/").status_code == 405


def test_revoking_the_last_key_needs_confirmation(admin: Client, workspace: Workspace) -> None:
    made = create_channel(workspace, "Shop").channel
    page = f"{CHANNELS}{made.pk}/change/"
    (step,) = LexborHTMLParser(admin.get(page).content.decode()).css("details.sure")
    assert "This is the only key" in step.text()
    assert step.css_first("form[method=post]").attributes["action"] == f"{CHANNELS}{made.pk}/keys/1/"
    admin.post(f"{CHANNELS}{made.pk}/keys/")
    assert "This is the only key" not in admin.get(page).content.decode()


@pytest.mark.parametrize("name", ["Shop", " shop "])
def test_two_channels_cannot_have_the_same_name(admin: Client, workspace: Workspace, name: str) -> None:
    made = create_channel(workspace, "Shop").channel
    assert b"Another channel already has this name" in admin.post(f"{CHANNELS}add/", channel(name=name)).content
    assert list(Channel.objects.all()) == [made]
    admin.post(f"{CHANNELS}{made.pk}/change/", channel(greeting="Hello"))  # its own name is not a conflict
    made.refresh_from_db()
    assert made.greeting == "Hello"


def test_an_api_key_is_shown_once_and_can_be_revoked(admin: Client) -> None:
    data = {"name": "Import", "scopes": ["kb:read", "kb:write"]}
    plain = secret_on(admin.post(f"{KEYS}add/", data))
    staff, user = staff_by_api_key(plain)
    assert (staff.scopes, user) == (frozenset(data["scopes"]), None)
    key = ApiKey.objects.get()
    assert plain not in admin.get(f"{KEYS}{key.pk}/change/").content.decode()
    admin.post(f"{KEYS}{key.pk}/revoke/")
    with pytest.raises(InvalidKey):
        staff_by_api_key(plain)


def test_an_api_key_acts_only_as_its_creator(admin: Client, bob: User) -> None:
    data = {"name": "Mine", "scopes": ["kb:read"], "acts_as_me": "on", "user": str(bob.pk)}
    _, user = staff_by_api_key(secret_on(admin.post(f"{KEYS}add/", data)))
    assert user is not None
    assert user.username == "admin.of.wrenfell"


def test_an_api_key_expires_at_the_shown_time(admin: Client, workspace: Workspace) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(timezone="Asia/Tokyo")
    admin.post(f"{KEYS}add/", {"name": "Key", "scopes": ["kb:read"], "expires_at": "2099-01-01T10:00"})
    key = ApiKey.objects.get()
    assert key.expires_at is not None
    assert key.expires_at.isoformat() == "2099-01-01T01:00:00+00:00"
    assert "1 Jan 2099, 10:00" in admin.get(f"{KEYS}{key.pk}/change/").content.decode()
    assert "the workspace&#x27;s time" in admin.get(f"{KEYS}add/").content.decode()


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["team:write"]},
        {"expires_at": "2001-01-01T00:00"},
        {"expires_at": "9999-12-31T23:59"},
    ],
)
def test_an_invalid_api_key_is_not_created(admin: Client, wrong: dict[str, Any]) -> None:
    answer = admin.post(f"{KEYS}add/", {"name": "Key", "scopes": ["kb:read"], **wrong})
    assert b'role="alert"' in answer.content
    assert not ApiKey.objects.exists()


def test_workspace_settings_are_validated_and_saved(admin: Client, workspace: Workspace) -> None:
    page = f"{WORKSPACES}{workspace.pk}/change/"
    facts = {"name": "Wren", "locale": "de", "timezone": "Europe/Berlin"}
    admin.post(page, {**facts, "slug": "x", "currency": "USD"})
    workspace.refresh_from_db()
    told = (workspace.name, workspace.locale, workspace.timezone, workspace.slug, workspace.currency)
    assert told == ("Wren", "de", "Europe/Berlin", "wrenfell", "EUR")
    assert b"alert" in admin.post(page, {**facts, "timezone": "Mars/Base"}).content


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("locale", "xx", "This language is unknown. Type its name, or a code"),
        ("locale", "xx-nope", "This language is unknown. Type its name, or a code"),
        ("keep_bodies_days", "31", "less than or equal to 30"),
        ("keep_bodies_days", "0", "greater than or equal to 1"),
    ],
)
def test_an_impossible_setting_is_refused_at_its_field(
    admin: Client, workspace: Workspace, name: str, value: str, said: str
) -> None:
    page = f"{WORKSPACES}{workspace.pk}/change/"
    facts = {"name": "Wren", "locale": "de", "timezone": "Europe/Berlin", "keep_bodies_days": "30"}
    tree = LexborHTMLParser(admin.post(page, {**facts, name: value}).content.decode())
    assert tree.css_first(f"#id_{name}").attributes["aria-invalid"] == "true"
    assert said in tree.body.text()
    admin.post(page, facts)
    workspace.refresh_from_db()
    assert (workspace.locale, workspace.keep_bodies_days) == ("de", 30)


def test_the_workspace_page_shows_the_last_nights_erasures(admin: Client, workspace: Workspace) -> None:
    address = f"{WORKSPACES}{workspace.pk}/change/"
    assert "Last run on" not in admin.get(address).content.decode()
    for conversations, remaining in ((1200, 30), (34, 5)):
        RetentionRun.objects.create(
            conversations=conversations, bodies=1, kept=3, remaining=remaining, has_failed=False
        )
    page = admin.get(address).content.decode()
    assert "Erased that night: 1,234 conversations, 2 texts. Kept because of open work: 3." in page
    assert "Left for the next night: 5." in page
    RetentionRun.objects.create(conversations=0, bodies=0, kept=0, remaining=0, has_failed=True)
    failed = admin.get(address).content.decode()
    assert ": it failed. The operator" in failed
    assert "Erased that night: 1,234 conversations, 2 texts." in failed


def test_a_shorter_retention_says_what_it_erases_tonight(admin: Client, workspace: Workspace, alice: Customer) -> None:
    facts = {"name": "Wren", "locale": "de", "timezone": "Europe/Berlin"}
    quiet, waiting, fresh = (start_conversation(alice.pk) for _ in range(3))
    Conversation.objects.exclude(pk=fresh.pk).update(last_event_at=now() - timedelta(days=5))
    Conversation.objects.filter(pk=waiting.pk).update(mode=Conversation.Mode.WAITING)

    def save(days: str) -> str:
        page = f"{WORKSPACES}{workspace.pk}/change/"
        saved = admin.post(page, {**facts, "keep_conversations_days": days, "_continue": "1"}, follow=True)
        return saved.content.decode()

    assert "will be permanently deleted" not in save("30")
    assert "1 conversation is older than this and will be permanently deleted tonight" in save("3")
    assert "will be permanently deleted tonight" not in save("3")  # nothing has changed
    assert "will be permanently deleted tonight" not in save("")
    assert Conversation.objects.filter(pk=quiet.pk).exists()


@pytest.mark.parametrize(
    ("name", "days", "told"),
    [
        ("keep_conversations_days", "-5", "greater than or equal to 1."),
        ("keep_bodies_days", "-5", "greater than or equal to 1."),
        ("keep_bodies_days", "0", "greater than or equal to 1."),
        ("keep_bodies_days", "31", "less than or equal to 30."),
    ],
)
def test_the_days_to_keep_have_one_minimum(
    admin: Client, workspace: Workspace, name: str, days: str, told: str
) -> None:
    facts = {"name": "Wren", "locale": "de", "timezone": "Europe/Berlin", name: days}
    page = LexborHTMLParser(admin.post(f"{WORKSPACES}{workspace.pk}/change/", facts).content.decode())
    assert [one.text().strip() for one in page.css(".errorlist li, .err")] == [f"Ensure this value is {told}"]
    assert page.css_first(f"[name={name}]").attributes["min"] == "1"


def test_hiding_personal_data_is_on_by_default_and_changes_are_recorded(admin: Client, workspace: Workspace) -> None:
    assert workspace.hides_personal_data is True
    page = f"{WORKSPACES}{workspace.pk}/change/"
    facts = {"name": "Wren", "locale": "de", "timezone": "UTC"}
    admin.post(page, {**facts, "hides_personal_data": "on"})
    assert not AuditEntry.objects.exists()
    admin.post(page, facts)
    workspace.refresh_from_db()
    entry = AuditEntry.objects.get()
    assert workspace.hides_personal_data is False
    assert (entry.event, entry.payload) == (
        "workspace.changed",
        {"setting": "hides_personal_data", "before": "True", "after": "False"},
    )
    assert entry.actor == actor_of(User.objects.get(username="admin.of.wrenfell"))


def test_an_operator_who_creates_a_workspace_becomes_its_admin(admin: Client, workspace: Workspace) -> None:
    data = {"name": "Second", "locale": "en", "timezone": "UTC", "currency": "usd"}
    assert admin.post(f"{WORKSPACES}add/", data).status_code == 403
    User.objects.filter(username="admin.of.wrenfell").update(is_superuser=True)
    admin.post(f"{WORKSPACES}add/", data)
    membership = Membership.objects.get(workspace__slug="second")
    assert (membership.role, membership.workspace.currency) == ("admin", "USD")


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "\U0001f600"), ("name", "Wrenfell"), ("name", "WRENFELL OUTDOOR"), ("currency", "€"), ("locale", "e n")],
)
def test_an_invalid_workspace_is_reported_next_to_its_field(
    admin: Client, workspace: Workspace, name: str, value: str
) -> None:
    User.objects.filter(username="admin.of.wrenfell").update(is_superuser=True)
    data = {"name": "Second", "locale": "en", "timezone": "UTC", "currency": "USD", name: value}
    tree = LexborHTMLParser(admin.post(f"{WORKSPACES}add/", data).content.decode())
    assert tree.css_first(f"#id_{name}").attributes["aria-invalid"] == "true"
    assert list(Workspace.objects.all()) == [workspace]


def test_a_member_of_two_workspaces_can_switch_between_them(workspace: Workspace, other_workspace: Workspace) -> None:
    user = person(workspace, "admin", "both")
    add_member(other_workspace, user, "agent")
    create_channel(workspace, "Here")
    browser = logged_in(user)
    assert "Here" in browser.get(CHANNELS).content.decode()
    browser.post("/admin/workspace/", {"workspace": str(other_workspace.pk)})
    assert browser.get(CHANNELS).status_code == 403  # only an agent in that workspace
    shown = LexborHTMLParser(browser.get("/desk/").content.decode()).css_first(".q-h .where")
    assert shown.text() == "Another Brand"  # the two desks look alike otherwise
    Membership.objects.filter(user=user, workspace=other_workspace).delete()
    assert 'class="where"' not in browser.get("/desk/").content.decode()
    assert "Here" in browser.get(CHANNELS).content.decode()  # back in the workspace where the membership remains


@pytest.mark.long
def test_a_link_to_a_row_in_your_other_workspace_names_it(workspace: Workspace, other_workspace: Workspace) -> None:
    """E-mails link to pages, and colleagues send links, whichever workspace was chosen last."""
    user = person(workspace, "admin", "both")
    with workspace_scope(other_workspace.pk):
        there = create_channel(other_workspace, "There").channel
    browser, page = logged_in(user), f"{CHANNELS}{there.pk}/change/"
    told = "This page belongs to your workspace Another Brand."
    assert told not in browser.get(page).content.decode()  # not a member
    add_member(other_workspace, user, "admin")
    assert told in browser.get(page, follow=True).content.decode()
    browser.post("/admin/workspace/", {"workspace": str(other_workspace.pk)})
    assert "There" in browser.get(page).content.decode()


@pytest.mark.parametrize("address", [f"{UUID(int=7)}/change/", "unknown/change/", f"{UUID(int=7)}/history/"])
def test_an_unknown_row_shows_the_page_for_missing_pages(workspace: Workspace, address: str) -> None:
    answer = logged_in(person(workspace, "admin")).get(f"{CHANNELS}{address}")
    assert answer.status_code == 404 and "Page not found" in answer.content.decode()


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:x"])
def test_switching_workspaces_redirects_only_within_the_site(
    workspace: Workspace, other_workspace: Workspace, target: str
) -> None:
    browser = logged_in(person(workspace, "admin"))
    answer = browser.post("/admin/workspace/", {"workspace": str(workspace.pk), "next": target})
    assert answer.headers["Location"] == "/admin/"
    assert browser.post("/admin/workspace/", {"workspace": str(other_workspace.pk)}).status_code == 404
    assert browser.post("/admin/workspace/", {"workspace": "nonsense"}).status_code == 404


@pytest.mark.parametrize("address", ["/admin/login/", "/admin/password_reset/", TEAM])
def test_a_browser_in_an_unsupported_language_gets_no_mixture(admin: Client, address: str) -> None:
    browser = Client() if address != TEAM else admin
    answer = browser.get(address, headers={"accept-language": "nl"})
    assert answer.headers["Content-Language"] == "en"
    assert '<html lang="en"' in answer.content.decode()
    wrong = admin.post(f"{TEAM}add/", {"role": "agent"}, headers={"accept-language": "nl"})
    assert "This field is required." in wrong.content.decode()
