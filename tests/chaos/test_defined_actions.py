"""The worker is killed again and again while defined actions of each outcome kind run against a faulty shop.

    pytest tests/chaos/test_defined_actions.py -m chaos -s

Everything is done by commands, as an operator would: connection, definition, cases, publication, requests.
"""

import asyncio
import copy
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.actions.defined.conftest import CANCEL, document
from tests.actions.defined.loopback_shop import LoopbackShop, loopback_shop
from tests.actions.definitions.test_retail import SHOP
from tests.chaos import invariants
from tests.chaos.system import System

EACH: Final = 4  # requests of each kind
KINDS: Final = ("status_lookup", "replay_safe", "at_most_once")
FAULTS: Final = ("slow answer", "reply dropped", "500 after the work", "dropped before the work", "")
ADMIN: Final = "admin"


@pytest.fixture(autouse=True)
def private_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVATE_NETWORKS", "127.0.0.0/8")


@pytest.fixture
def shop(seed: int) -> Iterator[LoopbackShop]:
    chance, records = random.Random(seed), copy.deepcopy(SHOP)
    for number in range(EACH * len(KINDS)):
        name = f"#W2{number:06}"
        records["orders"][name] = {**copy.deepcopy(records["orders"]["#W0000001"]), "order_id": name}
    with loopback_shop(records) as made:
        made.faults = [chance.choice(FAULTS) for _ in range(200)]
        yield made


def publish(system: System, shop: LoopbackShop, folder: Path) -> None:
    system.stack.manage("connection_add", "retail", shop.base_url, "--auth", "none")
    for kind in KINDS:
        made: dict[str, Any] = {**document(kind=kind), "name": f"cancel_{kind}"}
        case = {"name": "nothing said", "sub": "ann_lee_1", "expected": "invalid_arguments"}
        (folder / "definition.json").write_text(json.dumps(made))
        (folder / "cases.json").write_text(json.dumps([case]))
        system.stack.manage("action_import", str(folder / "definition.json"))
        system.stack.manage("action_publish", made["name"], "--as", ADMIN, "--cases", str(folder / "cases.json"))


@pytest.mark.chaos
@pytest.mark.long
async def test_nothing_is_doubled_lost_or_stuck(system: System, shop: LoopbackShop, seed: int, tmp_path: Path) -> None:
    publish(system, shop, tmp_path)
    over, chance = asyncio.Event(), random.Random(seed)

    def ask(number: int, kind: str) -> None:
        wish = json.dumps({**CANCEL, "order_id": f"#W2{number:06}"})
        system.stack.manage("action_propose", f"cancel_{kind}", "--customer", "ann_lee_1", "--args", wish, "--confirm")

    async def kill_workers() -> int:
        killed = 0
        while not over.is_set():
            await asyncio.sleep(chance.uniform(0.3, 2.5))
            system.kill(system.worker.process)
            system.keep_up()
            killed += 1
        return killed

    killing = asyncio.create_task(kill_workers())
    for number in range(EACH * len(KINDS)):
        await asyncio.to_thread(ask, number, KINDS[number % len(KINDS)])
    over.set()
    kills = await killing
    rows = await settled(system)
    performed = Counter(key for key, _ in shop.performed)
    states = Counter((row["action"], row["state"]) for row in rows)
    sys.stdout.write(f"seed {seed}: {kills} kills, {len(shop.commands)} commands, {dict(states)}\n")
    assert max(performed.values()) == 1 and len(rows) == EACH * len(KINDS)
    for row in rows:
        is_done = str(row["id"]) in performed
        if row["action"] == "cancel_at_most_once":
            sent = sum(key == str(row["id"]) for key, _ in shop.commands)
            assert sent <= 1 and (row["state"] in ("succeeded", "unknown") or not is_done)
        else:
            assert (row["state"], is_done) == ("succeeded", True), row
    reserved = system.rows("SELECT action FROM actions_ledgerentry WHERE status = 'reserved'")
    assert {row["action"] for row in reserved} <= {"cancel_at_most_once"}
    system.stack.manage("audit_verify")


async def settled(system: System) -> list[dict[str, Any]]:
    """Return the requests once none changes any more; an unclear one that must not be repeated waits for a person."""
    for _ in range(int(2 * invariants.SECONDS_TO_SETTLE)):
        system.keep_up()
        rows = system.rows("SELECT id, action, state, due_at FROM actions_actionrequest WHERE confirmed_by <> ''")
        moving = [row for row in rows if row["state"] not in invariants.SETTLED]
        if all(row["state"] == "unknown" and row["action"] == "cancel_at_most_once" for row in moving):
            return rows
        await asyncio.sleep(1)
    raise AssertionError(f"stuck: {moving}\n{system.last_line()}")
