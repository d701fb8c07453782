"""What must hold after a storm: the shop's payments, the product's records, and what customers saw."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from tests.chaos.shoppers import FINAL, Shopper
from tests.chaos.system import Row, System
from tests.patience import PATIENCE_SECONDS

SETTLED: Final = ("succeeded", "failed", "cancelled", "rejected", "expired", "refused")
SECONDS_TO_SETTLE: Final = PATIENCE_SECONDS
_ACCEPTED: Final = "SELECT * FROM actions_actionrequest WHERE confirmed_by <> ''"


@dataclass
class Snapshot:
    """Both sides' records, read once nothing changes any more."""

    requests: list[Row]
    refunds: list[Row]
    events: list[Row]
    seconds_to_settle: float

    def told(self, request: Row) -> list[str]:
        """Return the events of a request in its conversation, in order."""
        return [row["event"] for row in self.events if row["payload"].get("request") == str(request["id"])]


async def settled(system: System) -> float:
    """Return after how many seconds every accepted request was final."""
    began = time.monotonic()
    while left := _unsettled(system):
        assert time.monotonic() - began < SECONDS_TO_SETTLE, f"stuck: {left}"
        system.keep_up()
        await asyncio.sleep(0.5)
    return time.monotonic() - began


def _unsettled(system: System) -> list[Row]:
    try:
        return system.rows(
            "SELECT id, state, reason_code, attempt_count, due_at, lease_until FROM actions_actionrequest"
            f" WHERE confirmed_by <> '' AND state NOT IN {SETTLED}"
        )
    except psycopg.OperationalError as error:  # the server is still starting
        return [{"database": str(error)}]


async def read(system: System, seconds: float) -> Snapshot:
    """Read both sides, once every announcement has been delivered."""
    for _ in range(int(5 * PATIENCE_SECONDS)):
        if not system.rows("SELECT id FROM outbox_announcement WHERE delivered_at IS NULL"):
            break
        await asyncio.sleep(0.2)
    assert not system.rows("SELECT topic, attempts, last_error FROM outbox_announcement WHERE delivered_at IS NULL")
    events = system.rows("SELECT conversation_id, seq, event, payload FROM chat_conversationevent ORDER BY seq")
    return Snapshot(system.rows(_ACCEPTED), await system.refunds(), events, seconds)


def check_money(snapshot: Snapshot) -> None:
    """Assert that nothing is doubled or lost: every request marked as succeeded was paid, and nothing else was."""
    paid = [refund["key"] for refund in snapshot.refunds]
    assert len(paid) == len(set(paid)), Counter(paid).most_common(3)
    wanted = Counter((refund["order"], refund["amount"]) for refund in snapshot.refunds)
    assert set(wanted.values()) <= {1}, wanted.most_common(3)  # each refund had its own amount
    succeeded = {str(row["id"]) for row in snapshot.requests if row["state"] == "succeeded"}
    assert succeeded == set(paid), f"only paid {set(paid) - succeeded}, only told {succeeded - set(paid)}"


def check_ledger(system: System, snapshot: Snapshot) -> None:
    entries = {row["request_id"]: row["status"] for row in system.rows("SELECT * FROM actions_ledgerentry")}
    for request in snapshot.requests:
        expected = {"succeeded": "spent"}.get(request["state"], "released")
        assert entries[request["id"]] == expected, (request["id"], request["state"], entries[request["id"]])


def check_logs(snapshot: Snapshot) -> None:
    """Assert that each conversation reports each accepted request once as queued and once with its real end."""
    for request in snapshot.requests:
        told, end = snapshot.told(request), f"action.{request['state']}"
        assert told.count("action.queued") == 1 and told.count("action.proposed") == 1, (request["id"], told)
        assert [name for name in told if name in FINAL] == [end], (request["id"], end, told)


def check_shoppers(shoppers: list[Shopper]) -> None:
    """Assert that customers saw exactly the log over all their sockets, and that it has each of their messages once."""
    for shopper in shoppers:
        said = [event["payload"]["client_id"] for event in shopper.log if event["payload"].get("source") == "customer"]
        assert len(said) == len(set(said)), said
        for refund in shopper.refunds_wanted:
            assert refund.outcome, refund
            if refund.is_confirmed:
                assert refund.outcome in FINAL, refund


def check_audit(system: System, snapshot: Snapshot) -> None:
    """The command fails if the chain is broken."""
    told = json.loads(system.stack.manage("audit_verify", "--json"))
    assert told["entries"] > 3 * len(snapshot.requests)


def summary(snapshot: Snapshot, shoppers: list[Shopper], blows: Counter[str], seed: int) -> dict[str, Any]:
    outcomes = Counter(refund.outcome for shopper in shoppers for refund in shopper.refunds_wanted)
    return {
        "seed": seed,
        "blows": dict(blows),
        "accepted": len(snapshot.requests),
        "states": dict(Counter(row["state"] for row in snapshot.requests)),
        "attempts": dict(Counter(row["attempt_count"] for row in snapshot.requests)),
        "paid": len(snapshot.refunds),
        "refunds_wanted": dict(outcomes),
        "reconnects": sum(shopper.reconnects for shopper in shoppers),
        "seconds_to_settle": round(snapshot.seconds_to_settle, 1),
    }
