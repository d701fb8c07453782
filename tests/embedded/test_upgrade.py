"""Upgrading from 0.1.0 with data: one workspace, two articles, a conversation that waits for a person."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from supportbot.embedded.servers.database_roles import may_write, weaknesses
from tests.embedded.instance import Instance

BACKUP_OF_0_1_0 = Path(__file__).parent / "data" / "harbour-0.1.0.backup"
MESSAGES = [
    "How long do I have to return something?",
    "You have 60 days to send something back. [1]",
    "Wie lange dauert der Versand?",
    "Die Lieferung innerhalb Deutschlands dauert zwei bis drei Werktage. [1]",
]


@pytest.fixture
def upgraded(home: Path) -> Iterator[Instance]:
    made = Instance(home / "data")
    file = home / BACKUP_OF_0_1_0.name
    shutil.copy(BACKUP_OF_0_1_0, file)
    assert made.command("restore", str(file)).returncode == 0
    made.start_servers()
    migrated = made.command("migrate", "--noinput")
    assert migrated.returncode == 0, migrated.stderr
    yield made
    made.end()


@pytest.mark.long
def test_an_installation_of_0_1_0_can_be_upgraded(upgraded: Instance) -> None:
    assert run(upgraded, "kb_search", "send something back")["passages"][0]["external_id"] == "returns"
    assert "zwei bis drei Werktage" in run(upgraded, "ask", "Wie lange dauert die Lieferung?")["answer"]

    urls = json.loads((upgraded.data_dir / "runtime.json").read_text())
    with psycopg.connect(urls["database_url"]) as connection:  # the restored directory has only the owner's role
        assert (weaknesses(connection), may_write(connection)) == ("", True)
    with psycopg.connect(urls["database_owner_url"]) as connection:
        events = connection.execute(
            "SELECT seq, event, payload->>'text' FROM chat_conversationevent WHERE conversation_id = "
            "(SELECT conversation_id FROM handoff_ticket WHERE state = 'waiting') ORDER BY seq"
        ).fetchall()
    assert [seq for seq, _, _ in events] == list(range(1, len(events) + 1))
    assert [text for _, _, text in events if text in MESSAGES] == MESSAGES
    assert "handoff.requested" in [event for _, event, _ in events]


def run(instance: Instance, *command: str) -> dict[str, Any]:
    answer = instance.command(*command, "--json")
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found
