"""The installation's own pages: their content, and no inline code, as a strict policy requires."""

import asyncio
import logging
import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.contrib.staticfiles import finders
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import OperationalError, connection
from django.test import Client
from django.urls import path

from supportbot import home_and_error_pages, urls
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.team_members import add_member
from supportbot.asgi_handler import Handler
from supportbot.observing.logs import PlainFormatter

pytestmark = pytest.mark.django_db
PAGES = ["/", "/api/v1/docs/", "/desk/log-in/"]


@pytest.mark.parametrize("page", PAGES)
def test_pages_have_no_inline_code_and_no_external_sources(client: Client, workspace: Workspace, page: str) -> None:
    answer = client.get(page)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert re.findall(r"<main\b", html) == ["<main"]


@pytest.mark.parametrize("page", PAGES)
def test_every_referenced_static_file_exists(client: Client, workspace: Workspace, page: str) -> None:
    named = set(re.findall(r'/static/([^"#]+)', client.get(page).content.decode()))
    assert named
    assert [path for path in named if finders.find(path) is None] == []


async def fetched(method: str, address: str, **headers: str) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return what the server's own handler sends: the status, headers and body."""
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": address, "headers": sent, "query_string": b""}
    server = ApplicationCommunicator(Handler(), scope)  # type: ignore[no-untyped-call]
    await server.send_input({"type": "http.request"})  # type: ignore[no-untyped-call]
    start, body = [await server.receive_output(10) for _ in range(2)]  # type: ignore[no-untyped-call]
    return start["status"], dict(start["headers"]), body["body"]


@pytest.mark.filterwarnings("error:StreamingHttpResponse")
async def test_a_static_file_is_sent_whole_in_part_or_not_again() -> None:
    address = "/static/pages/icons.svg"
    found = finders.find("pages/icons.svg")
    assert isinstance(found, str)
    whole = await asyncio.to_thread(Path(found).read_bytes)
    status, headers, body = await fetched("GET", address)
    assert (status, body, headers[b"Content-Type"]) == (200, whole, b"image/svg+xml")
    status, _, body = await fetched("GET", address, range="bytes=5-9")
    assert (status, body) == (206, whole[5:10])
    status, _, body = await fetched("HEAD", address)
    assert (status, body) == (200, b"")
    modified = headers[b"Last-Modified"].decode()
    status, _, body = await fetched("GET", address, **{"if-modified-since": modified})
    assert (status, body) == (304, b"")


@pytest.mark.parametrize("page", PAGES)
def test_every_referenced_icon_exists(client: Client, workspace: Workspace, page: str) -> None:
    found = finders.find("pages/icons.svg")
    assert isinstance(found, str)
    with open(found, encoding="utf-8") as file:  # noqa: PTH123  # a path as the finder gives it
        drawings = file.read()
    icons = set(re.findall(r"icons\.svg#([a-z-]+)", client.get(page).content.decode()))
    assert [icon for icon in icons if f'id="{icon}"' not in drawings] == []


def test_opening_a_forms_address_shows_a_page(client: Client, db: None) -> None:
    answer = client.get("/desk/next/")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert "Nothing was changed" in answer.content.decode()
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_the_start_page_escapes_workspace_names(client: Client, workspace: Workspace, settings: Any) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(name="<b>Wren</b>")
    html = client.get("/").content.decode()
    assert "<b>Wren</b>" not in html
    assert "http://127.0.0.1:8100/" in html


def test_the_start_page_lists_only_the_demo_and_your_own_workspaces(
    client: Client, workspace: Workspace, other_workspace: Workspace, mallory: User
) -> None:
    def named() -> list[str]:
        return re.findall(r'href="/help/([a-z]+)/"', client.get("/").content.decode())

    assert named() == ["wrenfell"]  # the demo's, which is not secret
    client.force_login(mallory)
    assert named() == ["another"]
    client.logout()
    Workspace.objects.filter(pk=workspace.pk).update(slug="acme")
    assert named() == []
    assert "There is no workspace yet" not in client.get("/").content.decode()
    other_workspace.delete()
    assert named() == ["acme"]


def test_an_empty_installation_shows_the_first_steps(client: Client) -> None:
    html = client.get("/").content.decode()
    assert "manage.py setup_link" in html
    assert "Storefront" not in html


def test_a_published_installation_does_not_link_to_a_local_shop(
    client: Client, workspace: Workspace, settings: Any
) -> None:
    settings.HOST = "0.0.0.0"
    assert "8100" not in client.get("/").content.decode()


def test_the_api_page_lists_the_calls_and_links_to_the_schema(client: Client, settings: Any) -> None:
    settings.BASE_URL = "https://help.example"
    html = client.get("/api/v1/docs/").content.decode()
    assert "`" not in html and "<code>webhook.test</code>" in html
    assert "/api/v1/tickets/{ticket_id}/claim" in html
    assert "Claim a waiting ticket. The first claim wins." in html
    assert "https://help.example/api/v1/conversations/$CONVERSATION/messages" in html
    schema = client.get("/api/v1/schema/")
    assert (schema.status_code, b"/api/v1/tickets/{ticket_id}/claim:" in schema.content) == (200, True)


def test_the_api_page_is_in_english_for_every_reader(client: Client) -> None:
    shown, german = (client.get("/api/v1/docs/", headers={"accept-language": one}).content for one in ("en", "de"))
    assert b"<h1>The API</h1>" in german and b'<html lang="en"' in german
    assert german == shown
    schema = client.get("/api/v1/schema/", headers={"accept-language": "de"}).content.decode()
    assert "The first claim wins." in schema


UNKNOWN = ["/nothing", "/nothing/", "/desk/nothing/", "/help", "/%00"]


@pytest.mark.parametrize("address", UNKNOWN)
def test_an_unknown_address_shows_a_page_with_links(client: Client, address: str) -> None:
    answer = client.get(address)
    html = answer.content.decode()
    assert answer.status_code == 404
    assert "Page not found" in html
    assert 'href="/"' in html
    assert not re.search(r"<script|<style|\sstyle=", html)


@pytest.mark.parametrize("address", ["/api/v1/nothing", "/api/v1/tickets/1", "/api/", "/api/v1/articles/x/publish"])
@pytest.mark.parametrize("method", ["get", "post", "delete"])
def test_programs_get_errors_in_json(client: Client, address: str, method: str) -> None:
    answer = getattr(client, method)(address)
    assert answer.status_code == 404
    assert answer.json() == {"code": "not_found", "message": answer.json()["message"], "fields": {}}
    assert answer.headers["Content-Type"] == "application/json"


def explode(request: Any) -> None:
    raise RuntimeError("the database password is hunter2")


def refuse(request: Any) -> None:
    raise PermissionDenied("only for the queen")


def database_gone(*_: Any) -> None:
    raise OperationalError("the server is away")


def misread(request: Any) -> None:
    raise SuspiciousOperation("field 17")


class Broken:
    """The product's addresses with three more that fail."""

    handler400, handler403 = home_and_error_pages.bad_request, home_and_error_pages.forbidden
    handler404, handler500 = home_and_error_pages.missing, home_and_error_pages.failed
    urlpatterns = [
        *urls.urlpatterns,
        *(
            path(f"{start}{name}/", view)
            for start in ("", "api/")
            for name, view in (("explode", explode), ("refuse", refuse), ("misread", misread))
        ),
    ]


@pytest.mark.parametrize(
    ("name", "status", "code", "sentence"),
    [
        ("explode", 500, "server_error", "This page could not be shown"),
        ("refuse", 403, "not_allowed", "You do not have access to this page"),
        ("misread", 400, "bad_request", "Bad request"),
    ],
)
def test_a_server_error_is_reported_without_details(
    settings: Any, name: str, status: int, code: str, sentence: str
) -> None:
    settings.ROOT_URLCONF = Broken
    client = Client(raise_request_exception=False)
    with connection.execute_wrapper(database_gone):  # the failure may be in the template
        shown, told = client.get(f"/{name}/"), client.get(f"/api/{name}/")
    assert (shown.status_code, told.status_code) == (status, status)
    assert sentence in shown.content.decode()
    assert told.json()["code"] == code
    for answer in (shown, told):
        assert not re.search("hunter2|queen|17", answer.content.decode())


def test_a_refusal_is_one_line_of_the_log_and_a_failure_has_its_traceback(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ROOT_URLCONF = Broken
    handler = next(one for one in logging.getLogger().handlers if isinstance(one.formatter, PlainFormatter))
    lines = StringIO()
    monkeypatch.setattr(handler, "stream", lines)
    client = Client(raise_request_exception=False)
    client.get("/refuse/")
    assert "Forbidden (Permission denied): /refuse/" in lines.getvalue()
    assert len(lines.getvalue().splitlines()) == 1
    client.get("/explode/")
    assert "Traceback" in lines.getvalue()


def test_an_unknown_host_is_refused_with_a_message(client: Client) -> None:
    answer = client.get("/", headers={"Host": "evil.example"})
    assert (answer.status_code, b"The request is malformed or too large" in answer.content) == (400, True)


def test_a_form_without_its_token_changes_nothing(workspace: Workspace, bob: User) -> None:
    client = Client(enforce_csrf_checks=True)
    data = {"username": "bob", "password": "correct horse battery"}
    for address in ("/desk/log-in/", "/admin/login/"):
        answer = client.post(address, data)
        assert (answer.status_code, b"This form could not be verified" in answer.content) == (403, True)
    assert "sessionid" not in client.cookies


def test_the_console_shows_the_products_name(workspace: Workspace) -> None:
    admin = User.objects.create_superuser("root", password="correct horse battery")
    add_member(workspace, admin, "admin")
    client = Client()
    login = client.get("/admin/login/").content.decode()
    client.force_login(admin)
    index = client.get("/admin/").content.decode()
    for html in (login, index):
        assert "SupportBot" in html
        assert "Django" not in re.sub(r"<!--.*?-->", "", html, flags=re.DOTALL)
        assert "kb/tokens.css" in html
    assert "Groups" not in index
    assert "permission" not in index
