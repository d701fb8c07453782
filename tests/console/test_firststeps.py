"""From an empty workspace to a chat on a page: the list of first steps, whose state is read from rows."""

import struct
import zlib
from contextvars import Context
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from selectolax.lexbor import LexborHTMLParser

from kb.models import Collection
from kb.services import Change, create_article, publish
from supportbot.accounts.channels import create_channel
from supportbot.accounts.models import Channel, Logo, Workspace
from supportbot.llm.models import LLMCall
from supportbot.widget import assets
from tests.console.conftest import Enter, person
from tests.pages import visible_text

pytestmark = pytest.mark.django_db
SITE = "http://127.0.0.1:9009"
FACTS = {"name": "Wrenfell", "locale": "en", "timezone": "Lisbon", "answer_strictness": "balanced"}


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*, width: int = 4, height: int = 4, rows: bytes | None = None, more: bytes = b"") -> bytes:
    """Return a PNG file with pixels in RGB."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(rows if rows is not None else (b"\0" + b"\x1f\x5b\x45" * width) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + more + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def steps(admin: Client) -> dict[str, bool]:
    """Return the titles on the list, and for each whether it is ticked."""
    items = LexborHTMLParser(admin.get("/admin/").content.decode()).css(".first-steps li")
    return {visible_text(item.css_first("h3")): "done" in (item.attributes["class"] or "") for item in items}


@pytest.mark.long
def test_each_step_is_ticked_once_it_is_done(workspace: Workspace, enter: Enter, client: Client) -> None:
    assets._noted.clear()
    admin = enter("admin")
    assert list(steps(admin).values()) == [False] * 7
    admin.post(f"/admin/accounts/workspace/{workspace.pk}/change/", {**FACTS, "accent": "#1f5b45"})
    assert steps(admin)["Set up your branding"]
    article = create_article(Change(title="T", body="B\n", collection=Collection.objects.create(slug="s", name="S")))
    publish(article.pk)
    assert steps(admin)["Add your articles"]
    for _ in range(3):
        LLMCall.objects.create(purpose="answer", provider="p", model="m", duration_ms=0, outcome="skipped")
        assert not steps(admin)["Ask the assistant three questions"]
        LLMCall.objects.create(purpose="answer", provider="builtin", model="m", duration_ms=1, outcome="done")
    assert steps(admin)["Ask the assistant three questions"]
    channel = create_channel(workspace, "Shop", allowed_origins=[SITE]).channel
    assert steps(admin)["Design the chat"]
    for referer in ("", "http://localhost:8000/", "https://elsewhere.example/", "http://[", f"{SITE}.evil/"):
        client.get("/widget/v1.js", headers={"Referer": referer} if referer else {})
        assert not steps(admin)["Put the chat on your site"], referer
    assert client.get("/widget/v1.js", headers={"Referer": f"{SITE}/"}).status_code == 200
    assert steps(admin)["Put the chat on your site"]
    assert f"Installed: seen on {SITE}." in admin.get("/admin/").content.decode()
    channel.refresh_from_db()
    assert channel.seen_origin == SITE
    person(workspace, "agent", "bob2")
    assert steps(admin)["Invite your team"]
    admin.post("/admin/first-steps/", {"step": "model"})
    assert steps(admin) == {}


@pytest.mark.long
def test_an_origin_that_is_not_allowed_is_shown(workspace: Workspace, enter: Enter, client: Client) -> None:
    admin = enter("admin")
    key = create_channel(workspace, "Shop", allowed_origins=[SITE]).channel.key
    body = {"channel": key}
    ask = {"content_type": "application/json", "headers": {"Origin": "https://new.example"}}
    assert client.post("/api/v1/widget/tickets", body, **ask).status_code == 403
    shown = admin.get("/admin/").content.decode()
    assert "Seen on https://new.example, which this channel does not allow. Add this page" in shown
    assert "#id_allowed_origins" in shown and "Change the allowed pages" in shown
    Channel.objects.update(allowed_origins=["https://new.example"])
    # In a separate context, as in production: it must not depend on the test's workspace scope.
    opened = Context().run(lambda: client.post("/api/v1/widget/tickets", body, **ask))
    assert opened.status_code == 201
    assert steps(admin)["Put the chat on your site"]


def test_a_page_that_the_only_channel_does_not_allow_is_shown(
    workspace: Workspace, enter: Enter, client: Client
) -> None:
    """The browser's preflight for the ticket is refused, so only the script has been loaded."""
    assets._noted.clear()
    admin = enter("admin")
    create_channel(workspace, "Shop", allowed_origins=[SITE])
    client.get("/widget/v1.js", headers={"Referer": "https://new.example/"})
    assert "Seen on https://new.example, which this channel does not allow" in admin.get("/admin/").content.decode()
    create_channel(workspace, "Second shop", allowed_origins=[SITE])
    client.get("/widget/v1.js", headers={"Referer": "https://other.example/"})
    assert "https://other.example" not in admin.get("/admin/").content.decode()


def test_only_admins_see_and_change_the_first_steps(workspace: Workspace, enter: Enter) -> None:
    for role in ("editor", "agent", "supervisor"):
        other = enter(role)
        assert steps(other) == {}
        assert other.post("/admin/first-steps/", {"step": "hidden"}).status_code == 403
    admin = enter("admin")
    assert admin.post("/admin/first-steps/", {"step": "tag"}).status_code == 400
    workspace.refresh_from_db()
    assert workspace.first_steps == []
    assert not steps(admin)["Set up your branding"]
    admin.post("/admin/first-steps/", {"step": "brand"})
    assert steps(admin)["Set up your branding"]
    admin.post("/admin/first-steps/", {"step": "hidden"})
    assert steps(admin) == {}


def upload(admin: Client, workspace: Workspace, content: bytes, name: str = "logo.png") -> Any:
    fields = {**FACTS, "logo": SimpleUploadedFile(name, content, "image/png")}
    return admin.post(f"/admin/accounts/workspace/{workspace.pk}/change/", fields)


def test_a_logo_is_re_encoded_and_served_safely(workspace: Workspace, enter: Enter, client: Client) -> None:
    admin = enter("admin")
    hidden = chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")
    assert upload(admin, workspace, png(more=hidden) + b"<script>").status_code == 302
    logo = Logo.objects.get()
    answer = client.get(f"/logo/{logo.digest}.png")
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert b"script" not in answer.content
    assert answer.content.startswith(b"\x89PNG\r\n\x1a\n")
    assert steps(admin)["Set up your branding"]
    upload(admin, workspace, png(width=8))
    assert client.get(f"/logo/{logo.digest}.png").status_code == 404
    admin.post(f"/admin/accounts/workspace/{workspace.pk}/change/", {**FACTS, "logo-clear": "on"})
    assert not Logo.objects.exists()


def test_legal_pages_are_set_in_the_console_and_invalid_addresses_are_refused(
    workspace: Workspace, enter: Enter
) -> None:
    page, admin = f"/admin/accounts/workspace/{workspace.pk}/change/", enter("admin")
    admin.post(page, {**FACTS, "imprint_url": "shop.example/imprint", "privacy_url": "https://shop.example/privacy"})
    workspace.refresh_from_db()
    assert (workspace.imprint_url, workspace.privacy_url) == (
        "https://shop.example/imprint", "https://shop.example/privacy",
    )  # fmt: skip
    for wrong in ("javascript:alert(1)", "no address"):
        assert "Not saved yet" in admin.post(page, {**FACTS, "imprint_url": wrong}).content.decode()
    workspace.refresh_from_db()
    assert workspace.imprint_url == "https://shop.example/imprint"


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"\xff\xd8\xff\xe0" + b"\0" * 100,
        b"GIF89a" + b"\0" * 100,
        png()[:-30],
        png(rows=b"\0" * 10),
        png(width=60_000, height=60_000, rows=b"\0" * 10),  # only the header: decoding the pixels would fill the memory
        png() + b"\0" * 21_000_000,
    ],
    ids=["svg", "jpeg", "gif", "cut", "few", "huge", "bytes"],
)
def test_a_logo_that_is_not_a_harmless_picture_is_refused(workspace: Workspace, enter: Enter, content: bytes) -> None:
    answer = upload(enter("admin"), workspace, content)
    assert (answer.status_code, 'id="id_logo_error"' in answer.content.decode()) == (200, True)
    assert not Logo.objects.exists()


TYPED = {
    "name": "Shop",
    "allowed_origins": SITE,
    "locale": "en",
    "accent": "#1f5b45",
    "position": "start",
    "greeting": "Ahoy!",
    "suggestion_lines": "Where is my parcel?",
    "other_greetings": "de: Moin!",
    "other_suggestions": "de: Wo ist mein Paket?",
    "days": ["0", "1", "2", "3", "4"],
    "opens": "09:00",
    "closes": "18:00",
    "is_live": "on",
}


def test_the_preview_shows_typed_values_and_saving_stores_them(
    workspace: Workspace, enter: Enter, client: Client
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(site_url=f"{SITE}/shop")
    admin = enter("admin")
    form = LexborHTMLParser(admin.get("/admin/accounts/channel/add/").content.decode())
    assert form.css_first("#id_allowed_origins").text() == SITE
    drawn = admin.post("/admin/accounts/channel/preview/", TYPED).content.decode()
    for part in ("Ahoy!", "Where is my parcel?", "at-start", "Monday–Friday, 09:00–18:00", "#1f5b45"):
        assert part in drawn
    assert admin.post("/admin/accounts/channel/preview/", {**TYPED, "accent": "red", "opens": "x"}).status_code == 200
    assert not Channel.objects.exists()
    made = admin.post("/admin/accounts/channel/add/", TYPED).content.decode()
    channel = Channel.objects.get()
    assert visible_text(LexborHTMLParser(made).css_first("h1")) == "The channel Shop is ready"
    tag = f'data-channel="{channel.key}" data-position="start" data-accent="#1f5b45">'
    assert tag.replace('"', "&quot;").replace(">", "&gt;") in made
    assert (channel.greeting_in("de"), channel.suggestions_in("de")) == ("Moin!", ["Wo ist mein Paket?"])
    assert channel.hours == {"days": [0, 1, 2, 3, 4], "opens": "09:00", "closes": "18:00"}
    page = f"/admin/accounts/channel/{channel.pk}/change/"
    assert "Not saved yet" in admin.post(page, {**TYPED, "other_greetings": "Moin"}).content.decode()
    admin.post(page, {**TYPED, "other_suggestions": ""})
    channel.refresh_from_db()
    assert channel.suggestions == {"en": ["Where is my parcel?"]}


@pytest.mark.long
def test_a_wrong_hour_is_marked_in_its_field_and_without_days_there_are_no_hours(
    workspace: Workspace, enter: Enter
) -> None:
    admin = enter("admin")
    forgotten = admin.post("/admin/accounts/channel/add/", {**TYPED, "days": []}).content.decode()
    assert _marked(forgotten) == ["Days on which the team answers"]
    admin.post("/admin/accounts/channel/add/", TYPED)
    channel = Channel.objects.get()
    page = f"/admin/accounts/channel/{channel.pk}/change/"
    for wrong, label in (({"closes": "08:00"}, "Until"), ({"opens": ""}, "From")):
        assert _marked(admin.post(page, {**TYPED, **wrong}).content.decode()) == [label]
    channel.refresh_from_db()
    assert channel.hours == {"days": [0, 1, 2, 3, 4], "opens": "09:00", "closes": "18:00"}
    admin.post(page, {**TYPED, "days": []})
    channel.refresh_from_db()
    assert channel.hours == {}


def _marked(page: str) -> list[str]:
    """Return the labels of the fields that a form marks as wrong."""
    return [visible_text(one) for one in LexborHTMLParser(page).css("#form-errors li")]


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Europe/Berlin", "Our hours: Monday–Friday, 09:00–18:00 (Central European Time)."),
        ("UTC", "Our hours: Monday–Friday, 09:00–18:00 (Coordinated Universal Time)."),
    ],
)
def test_hours_name_the_time_zone_they_are_in(
    workspace: Workspace, enter: Enter, client: Client, zone: str, shown: str
) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(timezone=zone)
    admin = enter("admin")
    assert shown in admin.post("/admin/accounts/channel/preview/", TYPED).content.decode()
    admin.post("/admin/accounts/channel/add/", TYPED)
    assert shown in client.get("/help/wrenfell/").content.decode()
