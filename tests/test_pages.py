"""The installation's own pages: what they offer, and that a strict policy finds nothing inline in them."""

import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from supportbot.accounts.models import Workspace

pytestmark = pytest.mark.django_db
PAGES = ["/", "/api/v1/docs/"]


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_inline_and_everything_is_ours(client: Client, workspace: Workspace, page: str) -> None:
    answer = client.get(page)
    html = answer.content.decode()
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", html)
    assert re.findall(r"<main\b", html) == ["<main"]


@pytest.mark.parametrize("page", PAGES)
def test_every_static_file_named_is_there(client: Client, workspace: Workspace, page: str) -> None:
    named = set(re.findall(r'/static/([^"#]+)', client.get(page).content.decode()))
    assert named
    assert [path for path in named if finders.find(path) is None] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_icon_named_is_drawn(client: Client, workspace: Workspace, page: str) -> None:
    found = finders.find("pages/icons.svg")
    assert isinstance(found, str)
    with open(found, encoding="utf-8") as file:  # noqa: PTH123  # a path as the finder gives it
        drawings = file.read()
    icons = set(re.findall(r"icons\.svg#([a-z-]+)", client.get(page).content.decode()))
    assert [icon for icon in icons if f'id="{icon}"' not in drawings] == []


def test_the_start_page_escapes_a_workspaces_name(client: Client, workspace: Workspace, settings: Any) -> None:
    Workspace.objects.filter(pk=workspace.pk).update(name="<b>Wren</b>")
    html = client.get("/").content.decode()
    assert "<b>Wren</b>" not in html
    assert "http://127.0.0.1:8100/" in html


def test_an_empty_installation_says_how_to_begin(client: Client) -> None:
    html = client.get("/").content.decode()
    assert "manage.py workspace_create" in html
    assert "Storefront" not in html


def test_a_published_installation_names_no_local_shop(client: Client, workspace: Workspace, settings: Any) -> None:
    settings.HOST = "0.0.0.0"
    assert "8100" not in client.get("/").content.decode()


def test_the_docs_list_the_calls_and_the_schema_is_there(client: Client, settings: Any) -> None:
    settings.BASE_URL = "https://help.example"
    html = client.get("/api/v1/docs/").content.decode()
    assert "/api/v1/tickets/{ticket_id}/claim" in html
    assert "Take a waiting ticket; the first one wins." in html
    assert "https://help.example/api/v1/conversations/$CONVERSATION/messages" in html
    schema = client.get("/api/v1/schema/")
    assert (schema.status_code, b"/api/v1/tickets/{ticket_id}/claim:" in schema.content) == (200, True)


def test_the_schema_is_clean() -> None:
    """Every call and every field has a name of its own; the command fails at the first warning."""
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=StringIO(), stderr=StringIO())
