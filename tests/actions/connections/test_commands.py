"""Connections from the command line: the secret comes from a pipe and is never printed."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from actions.connections.models import Connection
from actions.connections.selectors import connection_named
from actions.models import AuditEntry
from supportbot.accounts.models import Workspace
from tests.actions.connections.conftest import WEBHOOK_SECRET
from tests.actions.connections.fake_api import FakeApi
from tests.actions.raw_server import reply

pytestmark = pytest.mark.django_db
Run = Callable[..., dict[str, Any]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, workspace: Workspace) -> Run:
    def command(*words: str, piped: str = "") -> dict[str, Any]:
        monkeypatch.setattr("sys.stdin", StringIO(piped))
        out = StringIO()
        try:
            call_command(*words, "--json", stdout=out)
        except SystemExit as ended:
            assert ended.code == 1
        assert not piped or piped.strip() not in out.getvalue()
        facts: dict[str, Any] = json.loads(out.getvalue())
        return facts

    return command


def test_a_connection_is_added_and_tested(run: Run, api: FakeApi) -> None:
    options = ("--auth", "header", "--set", "header=X-Token", "--environment", "sandbox", "--test-path", "/health")
    assert run("connection_add", "shop", f"{api.url}/v1/", *options, piped="key-1\n") == {
        "workspace": "wrenfell",
        "connection": "shop",
        "environment": "sandbox",
        "url": f"{api.url}/v1",
        "auth": "header",
    }
    told = run("connection_test", "shop", "--environment", "sandbox")
    assert (told["works"], told["outcome"]) == (True, "answered_200")
    assert (api.asked[0].path, api.asked[0].headers["x-token"]) == ("/v1/health", "key-1")
    actors = AuditEntry.objects.order_by("seq").values_list("event", "actor")
    assert [event for event, actor in actors if actor.startswith("operator:")] == [
        "connection.created",
        "connection.tested",
    ]


def test_a_failed_test_ends_with_an_error(run: Run, api: FakeApi) -> None:
    run("connection_add", "shop", api.url)
    api.answer = lambda asked: reply("503 Later", b"{}")
    told = run("connection_test", "shop")
    assert (told["works"], told["steps"][-1]["works"]) == (False, False)
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("connection_test", "shop", stdout=out)
    assert out.getvalue().splitlines()[-1].startswith("FAILED  GET / returned 503")


def test_a_secret_is_rotated(run: Run, api: FakeApi) -> None:
    run("connection_add", "shop", api.url, "--auth", "standard_webhooks", piped=WEBHOOK_SECRET)
    told = run("connection_rotate", "shop", piped="whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg==")
    assert told["old_secret_until"] and len(connection_named("shop").secrets) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("connection_add", "shop", "https://10.0.0.8"), "PRIVATE_NETWORKS"),
        (("connection_add", "shop", "https://shop.example", "--auth", "bearer"), "Enter the secret."),
        (("connection_add", "shop", "https://shop.example", "--set", "header"), "Write NAME=VALUE"),
        (("connection_test", "nothing"), "There is no live connection named nothing."),
        (("connection_rotate", "nothing"), "There is no live connection named nothing."),
    ],
)
def test_an_error_is_reported_in_one_sentence(words: tuple[str, ...], told: str, run: Run) -> None:
    with pytest.raises(CommandError, match=r".") as refused:
        run(*words)
    assert told in str(refused.value) and not Connection.objects.exists()
