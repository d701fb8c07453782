"""The first administrator is created only with the link, only once, and only on an empty installation."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.test import Client
from django.utils.timezone import now

from supportbot.accounts.models import Membership, SetupLink, User, Workspace

FORM = {"name": "Ada Byron", "email": "ada@shop.example", "password": "correct horse battery"}


def link() -> str:
    """Return the path that `manage.py setup_link` prints."""
    output = StringIO()
    call_command("setup_link", "--json", stdout=output)
    return "/admin/" + json.loads(output.getvalue())["setup"].partition("/admin/")[2]


@pytest.mark.django_db
def test_an_empty_installation_is_set_up_in_the_browser(client: Client) -> None:
    for door in ("/", "/admin/login/", "/desk/log-in/"):
        assert "manage.py setup_link" in client.get(door).content.decode()
    page = link()
    assert len(page.split("/")[3]) >= 43  # 256 bits
    assert page.split("/")[3] not in str(SetupLink.objects.values())
    shown = client.get(page)
    assert (shown.status_code, "no-store" in shown.headers["Cache-Control"]) == (200, True)
    started = client.post(page, FORM, follow=True)
    assert started.redirect_chain[-1][0] == "/admin/first-workspace/"
    workspace = {"name": "Ada's Shop", "locale": "de", "timezone": "berlin", "currency": "eur"}
    first = client.post("/admin/first-workspace/", workspace, follow=True)
    assert (first.status_code, first.redirect_chain[-1][0]) == (200, "/admin/")
    made = Workspace.objects.get()
    assert (made.name, made.locale, made.timezone, made.currency) == ("Ada's Shop", "de", "Europe/Berlin", "EUR")
    assert Membership.objects.get().role == "admin"
    assert client.post("/admin/first-workspace/", {**workspace, "name": "Second"}).status_code == 302
    assert Workspace.objects.count() == 1
    ada = Client()
    credentials = {"username": FORM["email"], "password": FORM["password"]}
    assert ada.post("/admin/login/", credentials).status_code == 302
    for door in ("/", "/admin/login/", "/desk/log-in/"):
        assert "manage.py setup_link" not in Client().get(door).content.decode()


@pytest.mark.django_db
def test_a_link_works_only_once_and_only_before_there_is_an_administrator(client: Client, workspace: Workspace) -> None:
    page = link()
    User.objects.create_user("bob", is_staff=True)  # not an administrator
    assert client.get(page).status_code == 200
    client.post(page, FORM)
    assert User.objects.filter(is_superuser=True).count() == 1
    assert not SetupLink.objects.exists()
    again = Client().post(page, {**FORM, "email": "eve@shop.example"})
    assert (again.status_code, User.objects.count()) == (404, 2)
    with pytest.raises(CommandError, match="has an administrator"):
        link()


@pytest.mark.django_db
def test_without_the_current_link_nothing_is_created(client: Client, workspace: Workspace) -> None:
    old = link()
    current = link()
    for page in (old, "/admin/setup/guess/", f"{current[:-3]}xy/"):
        assert (client.get(page).status_code, client.post(page, FORM).status_code) == (404, 404)
    SetupLink.objects.update(created_at=now() - timedelta(days=4))
    assert client.post(current, FORM).status_code == 404
    SetupLink.objects.update(created_at=now())
    admin = User.objects.create_user("admin")
    Membership.objects.create(workspace=workspace, user=admin, role="admin")
    assert client.post(current, FORM).status_code == 404
    assert User.objects.count() == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"password": "short"}, "password"),
        ({"password": "ada@shop.example"}, "password"),
        ({"password": "1234567890"}, "password"),
        ({"email": "nobody"}, "email"),
        ({"name": ""}, "name"),
    ],
)
def test_invalid_input_is_reported_and_the_link_stays_valid(client: Client, wrong: Any, field: str) -> None:
    page = link()
    refused = client.post(page, {**FORM, **wrong})
    assert (refused.status_code, f'id="id_{field}_error"' in refused.content.decode()) == (422, True)
    assert not User.objects.exists()
    assert client.post(page, FORM).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_create_one_administrator() -> None:
    page = link()

    def post(number: int) -> int:
        try:
            return Client().post(page, {**FORM, "email": f"ada{number}@shop.example"}).status_code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as threads:
        statuses = sorted(threads.map(post, range(4)))
    assert statuses == [302, 404, 404, 404]
    assert User.objects.count() == 1
