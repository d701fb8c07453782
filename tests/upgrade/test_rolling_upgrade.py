"""The processes of an earlier version, in a database that this version migrates under them: a rolling upgrade.

196b70e already has the columns of 0.2 that upgrades from 0.1 lack, and is older than almost every migration. It runs
with the packages of today.
"""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from django.conf import settings

from supportbot.embedded.backup import load_database
from supportbot.embedded.product_processes import ChildProcess, wait_for_page
from tests.deploy.conftest import database_url
from tests.flows.people import Visitor, assert_whole, finals
from tests.flows.stack import STOREFRONT, Stack
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port
from tests.promises import give_up
from tests.upgrade.test_old_dumps import DATA, wait_since_now
from tests.widget.page import open_socket

__all__ = ["database_url"]  # a fixture
pytestmark = pytest.mark.long
VERSION = "196b70e"
QUESTION = "How should I wash a rain jacket?"
# What beat starts, and what people do: in the database of the newer version, by the code of the older one.
USED = """
from django.conf import settings
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.celery import app
from supportbot.chat.models import Conversation
from supportbot.chat.services import add_agent_message
from supportbot.handoff.models import Ticket
from supportbot.handoff import services
app.loader.import_default_modules()
for entry in settings.CELERY_BEAT_SCHEDULE.values():
    app.tasks[entry["task"]]()
with workspace_scope(Workspace.objects.get().pk):
    maria = User.objects.get(username="maria")
    waits = Ticket.objects.get(conversation__customer__external_id="waiting")
    services.claim(waits.pk, agent=maria)
    add_agent_message(waits.conversation_id, text="Here I am.", author=maria, client_id="here")
    services.resolve(waits.pk, agent=maria)
    print(Ticket.objects.get(pk=waits.pk).state)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the earlier version."""
    folder = tmp_path_factory.mktemp(VERSION)
    files = folder.with_suffix(".tar")
    archived = subprocess.run(
        ["git", "-C", str(settings.BASE_DIR), "archive", f"--output={files}", VERSION],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if archived.returncode:
        give_up(f"the history has no commit {VERSION}: {archived.stderr.strip()}", promise="WITH_HISTORY")
    subprocess.run(["tar", "-xf", str(files), "-C", str(folder)], check=True)
    return folder


class Site:
    """One database and one Valkey, used by the processes of both versions."""

    def __init__(self, database_url: str, valkey_url: str, folder: Path, checkout: Path) -> None:
        self._folders = {"old": checkout, "new": settings.BASE_DIR}
        self._folder = folder
        self._environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "FIELD_KEYS") if name in os.environ},
            "DJANGO_SETTINGS_MODULE": "supportbot.settings", "DATABASE_URL": database_url, "REDIS_URL": valkey_url,
            "SECRET_KEY": "the same for both versions", "HOST": "127.0.0.1", "OMP_NUM_THREADS": "1",
            "WEB_PROCESSES": "1", "DATA_DIR": str(folder),
        }  # fmt: skip

    def manage(self, version: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments], env=self._environment, cwd=self._folders[version],
            capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    def web(self, version: str) -> tuple[ChildProcess, str]:
        """Start a web process; return it and its address."""
        port = reserved_port()
        serve = {
            "old": ["-m", "uvicorn", "supportbot.asgi:application", "--port", str(port), "--lifespan", "on"],
            "new": ["manage.py", "serve"],
        }[version]
        child = ChildProcess(
            f"{version} web", [sys.executable, *serve], self._folder / f"{version}.log",
            {**self._environment, "PORT": str(port)}, folder=self._folders[version],
        )  # fmt: skip
        child.start()
        address = f"http://127.0.0.1:{port}"
        wait_for_page(f"{address}/livez", child)
        return child, address


@pytest.fixture
def site(database_url: str, valkey_url: str, tmp_path: Path, checkout: Path) -> Iterator[Site]:
    load_database(database_url, DATA / f"{VERSION}.dump")
    wait_since_now(database_url)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE accounts_channel SET allowed_origins = %s", [[STOREFRONT]])
    return Site(database_url, valkey_url, tmp_path, checkout)


class Customer:
    """A customer of web processes of both versions; the older one's frames need not fit this version's schemas."""

    def __init__(self, channel: str, address: str) -> None:
        self.visitor = Visitor(cast("Stack", SimpleNamespace(demo={"channel": channel})), address)
        self.questions: list[str] = []
        self._seen = 0  # the sequence number of the last event

    async def ask(self, address: str) -> None:
        """Ask on a new socket, and return once the answer is complete."""
        granted = await self.visitor.ticket(address)
        self.questions.append(uuid.uuid4().hex)
        async with open_socket(address, origin=STOREFRONT) as socket:
            await socket.send({"type": "hello", "ticket": granted["ticket"], "last_seq": self._seen})
            await socket.send({"type": "message", "client_id": self.questions[-1], "text": QUESTION})
            frame: dict[str, Any] = {}
            while frame.get("event") != "assistant.final":
                async with asyncio.timeout(PATIENCE_SECONDS):
                    frame = json.loads(await socket.connection.recv())
                assert frame["type"] not in ("error", "refused"), frame
                self._seen = max(self._seen, frame.get("seq") or 0)


def errors_in(log: str) -> list[str]:
    """Return the last lines of the tracebacks in a log.

    A deadlock is not an error of the older version: if its transaction and a migration wait for each other, PostgreSQL
    ends one of them, and the answer is written again.
    """
    found = log.split("Traceback (most recent call last):\n")[1:]
    return [next((line for line in text.splitlines() if not line.startswith(" ")), "") for text in found]


async def test_an_earlier_version_works_while_this_one_migrates_and_afterwards(site: Site, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        [(key,)] = connection.execute("SELECT key FROM accounts_channel").fetchall()
    old, address = await asyncio.to_thread(site.web, "old")
    customer = Customer(key, address)
    await customer.ask(address)
    migrating = asyncio.create_task(asyncio.to_thread(site.manage, "new", "migrate", "--noinput"))
    while not migrating.done():
        await customer.ask(address)
        await asyncio.sleep(4)  # twenty messages a minute are the limit
    await migrating
    await customer.ask(address)
    await Customer(key, address).ask(address)
    assert (await asyncio.to_thread(site.manage, "old", "shell", "-c", USED)).split()[-1] == "resolved"
    told = await asyncio.to_thread(site.manage, "old", "ask", "How long is the guarantee on a tent?", "--json")
    assert "five years" in json.loads(told)["answer"]
    new, beside = await asyncio.to_thread(site.web, "new")
    await customer.ask(beside)
    await customer.ask(address)  # a client may return to the older version
    await asyncio.to_thread(old.stop)
    await customer.ask(beside)
    log = await customer.visitor.log(beside)
    await asyncio.to_thread(new.stop)
    assert_whole(log)
    said = [event["payload"] for event in log if event["event"] == "message"]
    assert [one["client_id"] for one in said if one["source"] == "customer"] == customer.questions
    assert len(finals(log)) == len(customer.questions)
    assert old.log is not None
    assert [error for error in errors_in(old.log.read_text()) if "deadlock detected" not in error] == []
