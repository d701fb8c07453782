"""Installations filled by old versions, then upgraded to this one and used (scripts/old_dumps.py)."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings

from supportbot.celery import app
from supportbot.embedded.backup import load_database
from supportbot.embedded.child_processes import wait_until
from tests.deploy.conftest import database_url
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port
from tests.shop.process import ShopProcess

__all__ = ["database_url"]  # a fixture
pytestmark = pytest.mark.long
DATA = Path(__file__).parent / "data"
VERSIONS = ("0.1.0", "196b70e")
# Removed settings and their replacements, which the changelog lists too.
GONE: dict[str, str] = {}


class Upgraded:
    """An installation of an old version, after the upgrade."""

    def __init__(self, version: str, database_url: str, folder: Path) -> None:
        self.version, self._folder = version, folder
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._environment = {
            **kept, "DATABASE_URL": database_url, "SECRET_KEY": "of-the-new-installation", "DATA_DIR": str(folder),
            "REDIS_URL": "", "CELERY_BROKER_URL": "memory://", "FIELD_KEYS": os.environ["FIELD_KEYS"],
        }  # fmt: skip
        self._database_url = database_url

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), *arguments]
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout

    @contextmanager
    def worker(self, redis_url: str, shop: ShopProcess) -> Iterator[None]:
        """Run a worker, and no beat, whose sweeps would find all work without a message."""
        broker = {"REDIS_URL": redis_url, "CELERY_BROKER_URL": f"{redis_url}/0", "SHOP_PORT": str(shop.port)}
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "work"]
        own = {"WORKER_PROBE_PORT": "0", "OMP_NUM_THREADS": "1"}
        with (self._folder / "worker.log").open("wb") as log:
            process = subprocess.Popen(command, env={**self._environment, **broker, **own}, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            code = process.wait(timeout=PATIENCE_SECONDS)
        assert code == 0, (self._folder / "worker.log").read_text()[-3000:]

    def python(self, code: str) -> Any:
        """Run a block in the scope of the workspace; return what it assigns to `told`."""
        lines = "\n".join(f"    {line}" for line in code.strip().splitlines())
        return json.loads(self.manage("shell", "-v", "0", "-c", f"{SCOPE}\n{lines}\n    print(json.dumps(told))"))

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._database_url) as connection:
            return connection.execute(query, parameters).fetchall()

    def chat(self, customer: str) -> str:
        found = self.rows(
            "SELECT chat.id FROM chat_conversation chat JOIN accounts_customer customer ON customer.id = "
            "chat.customer_id WHERE customer.external_id = %s",
            customer,
        )
        return str(found[0][0])


SCOPE = """
import asyncio, json
from supportbot.accounts.models import User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.ask_and_wait import ask
from supportbot.chat.models import Conversation, Message, Turn
from supportbot.handoff.models import Ticket
from supportbot.handoff.tickets import services, periodic_changes
with workspace_scope(Workspace.objects.get().pk):"""


def wait_since_now(database_url: str) -> None:
    """Let all waits begin now: a dump gets older every day, and a wait ends by itself after a day."""
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE handoff_ticket SET waiting_since = now() WHERE waiting_since IS NOT NULL")


@pytest.fixture(params=VERSIONS)
def upgraded(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Upgraded:
    load_database(database_url, DATA / f"{request.param}.dump")
    wait_since_now(database_url)
    made = Upgraded(request.param, database_url, tmp_path)
    made.manage("migrate", "--noinput")
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[ShopProcess]:
    made = ShopProcess(tmp_path / "shop", reserved_port())
    made.start()
    yield made
    made.stop()


def test_an_old_installation_is_upgraded_and_used(upgraded: Upgraded, valkey_url: str, shop: ShopProcess) -> None:
    """One long test: restoring and migrating takes most of the time."""
    check_queued_tasks(upgraded, valkey_url, shop)
    old = upgraded.chat("old")
    asked = json.loads(
        upgraded.manage(
            "ask", "How long is the guarantee on a tent?", "--conversation", old, "--customer", "old", "--json"
        )
    )
    assert "five years" in asked["answer"] and "rain jacket" not in asked["answer"]

    # Each question before the upgrade has one answer, and the one that waited gets its own now.
    pending = upgraded.chat("pending")
    turns = upgraded.rows("SELECT state FROM chat_turn WHERE conversation_id = %s ORDER BY created_at", pending)
    assert [state for (state,) in turns] == ["done", "done", "pending"]
    covered = upgraded.rows("SELECT answered_seq FROM chat_conversation WHERE id = %s", pending)[0][0]
    waiting = upgraded.rows(
        "SELECT text FROM chat_message WHERE conversation_id = %s AND source = 'customer' AND seq > %s",
        pending,
        covered,
    )
    assert waiting == [("How long does delivery to Germany take?",)]

    # The customer stays with Maria, who answered an hour ago, and Maria can continue and end the conversation.
    told = upgraded.python("""
periodic_changes.escalate_late(), periodic_changes.expire_abandoned()
periodic_changes.wake_snoozed(), periodic_changes.escalate_silent()
held = Ticket.objects.get(conversation__customer__external_id="held")
waits = Ticket.objects.get(conversation__customer__external_id="waiting")
maria = User.objects.get(username="maria")
last = Message.objects.filter(conversation=held.conversation_id).order_by("-seq").first().text
told = [held.state, held.assignee.username, last, waits.state]
services.resolve(held.pk, agent=maria)
services.claim(waits.pk, agent=maria)
""")
    assert told == ["claimed", "maria", "Yes, I am looking into it.", "waiting"]
    assert "old" in upgraded.manage("shell", "-v", "0", "-c", SEARCH)


SEARCH = """
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.chat.models import Conversation
from supportbot.chat.conversation_search import newest_with
with workspace_scope(Workspace.objects.get().pk):
    found = Conversation.objects.filter(pk__in=newest_with("jacket old", 5))
    print(*found.values_list("customer__external_id", flat=True))
"""


def check_queued_tasks(upgraded: Upgraded, redis_url: str, shop: ShopProcess) -> None:
    """Deliver the messages that the old version's processes left in the broker, each of them twice."""
    address = f"http://127.0.0.1:{shop.port}/merchant/v1"
    upgraded.rows("UPDATE actions_merchantconnection SET base_url = %s RETURNING id", address)
    refund = "SELECT state FROM actions_actionrequest"
    indexed = "SELECT 1 FROM kb_chunk WHERE text ~ '4000 millimetres' AND embedding IS NOT NULL"
    assert (upgraded.rows(refund), upgraded.rows(indexed)) == ([("queued",)], [])
    queues = json.loads((DATA / f"{upgraded.version}.messages.json").read_text())
    with redis.Redis.from_url(f"{redis_url}/0") as broker:
        broker.flushdb()
        for queue, messages in queues.items():
            for message in messages * 2:
                message["headers"]["expires"] = None  # the dump is older than the minute for which messages are valid
                broker.lpush(queue, json.dumps(message))
        with upgraded.worker(redis_url, shop):
            assert wait_until(
                lambda: upgraded.rows(refund) == [("succeeded",)] and bool(upgraded.rows(indexed)),
                seconds=PATIENCE_SECONDS,
            )
            assert wait_until(lambda: not broker.exists(*queues, "unacked"), seconds=PATIENCE_SECONDS), "none is left"
    assert len(upgraded.rows(indexed)) == 1
    assert [entry["order"] for entry in shop.ledger()["refunds"]] == ["WF-20410"]


@pytest.mark.parametrize("version", VERSIONS)
def test_tasks_that_may_be_queued_and_settings_have_kept_their_names(version: str) -> None:
    names = json.loads((DATA / f"{version}.names.json").read_text())
    app.loader.import_default_modules()
    assert set(names["tasks"]) <= set(app.tasks)
    missing = [name for name in names["settings"] if name not in VALUES]
    assert missing == sorted(GONE)


def test_settings_with_old_names_still_work(tmp_path: Path) -> None:
    """If it has a value, each of them changes the settings."""
    found = [json.loads((DATA / f"{version}.names.json").read_text())["settings"] for version in VERSIONS]
    values = {name: VALUES[name] for names in found for name in names} | {"NOT_A_SETTING": "x"}
    done = subprocess.run(
        [sys.executable, "-c", EFFECTS, json.dumps(values)], cwd=settings.BASE_DIR,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "SECRET_KEY": "another"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, json.loads(done.stdout or "[]")) == (0, ["NOT_A_SETTING"]), done.stderr


VALUES = {
    "ALLOWED_HOSTS": "support.example.com", "CELERY_BROKER_URL": "redis://broker:6379/3", "DATABASE_POOL_SIZE": "7",
    "DATABASE_URL": "postgres://one:two@database:5432/three", "DATA_DIR": "/tmp", "EMAIL_URL": "smtp://mail:25",
    "DEFAULT_FROM_EMAIL": "help@example.com", "FIELD_KEYS": "dGVzdHMtb25seS1hbmQtbm93aGVyZS1lbHNlLTMyYnk=",
    "HOST": "0.0.0.0", "KB_EMBEDDER": "shop.Embedder", "KB_LEXICAL_FALLBACK": "no", "KB_RETRIEVAL": "no",
    "LLM_DAILY_BUDGET": "12.5", "LLM_PRICES": '{"m": {"input": 1, "output": 2}}', "LLM_STORE_BODIES": "yes",
    "METRICS_TOKEN": "token", "NUM_PROXIES": "2", "OPENAI_API_KEY": "key", "OPENAI_BASE_URL": "http://model:8080/v1",
    "OPENAI_EMBEDDING_DIMENSIONS": "384", "OPENAI_EMBEDDING_MODEL": "embedder", "OPENAI_MODEL": "model",
    "PORT": "8017", "PUBLIC_URL": "https://support.example.com", "REDIS_URL": "redis://valkey:6379",
    "SECRET_KEY": "secret", "SHOP_PORT": "8117", "SUPPORTBOT_LOG_LEVEL": "ERROR",
    "SUPPORTBOT_MODEL_DEADLINE_SECONDS": "11", "SUPPORTBOT_TURNS_PER_PROCESS": "3",
}  # fmt: skip
# Prints the names of settings without an effect.
EFFECTS = """
import importlib, json, os, sys
import supportbot.settings as module
def read():
    for name in [name for name in vars(module) if name.isupper()]:
        delattr(module, name)  # a reload keeps names that it does not set
    found = vars(importlib.reload(module))
    return {name: repr(value) for name, value in found.items() if name.isupper()}
before, useless = read(), []
for name, value in json.loads(sys.argv[1]).items():
    former = os.environ.get(name)
    os.environ[name] = value
    after = read()
    if after == before:
        useless.append(name)
    os.environ.pop(name)
    if former is not None:
        os.environ[name] = former
print(json.dumps(useless))
"""
