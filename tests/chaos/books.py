"""After a storm: what the shop paid, what the product says of it, and what the customers were told."""

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from tests.chaos.shoppers import FINAL, Shopper
from tests.chaos.town import Row, Town

SETTLED: Final = ("succeeded", "failed", "cancelled", "rejected", "expired", "refused")
SECONDS_TO_SETTLE: Final = 60.0
_ACCEPTED: Final = "SELECT * FROM actions_actionrequest WHERE confirmed_by <> ''"


@dataclass
class Books:
    """Both sides' records, read once nothing moves any more."""

    requests: list[Row]
    refunds: list[Row]
    events: list[Row]
    seconds_to_settle: float

    def told(self, request: Row) -> list[str]:
        """Return the events of a request in its conversation, in order."""
        return [row["event"] for row in self.events if row["payload"].get("request") == str(request["id"])]


async def settled(town: Town) -> float:
    """Return how many seconds it took until every accepted request had its end; fails after a minute."""
    began = time.monotonic()
    while left := _unsettled(town):
        assert time.monotonic() - began < SECONDS_TO_SETTLE, f"stuck: {left}"
        town.keep_up()
        await asyncio.sleep(0.5)
    return time.monotonic() - began


def _unsettled(town: Town) -> list[Row]:
    try:
        return town.rows(
            "SELECT id, state, reason_code, attempt_count, due_at, lease_until FROM actions_actionrequest"
            f" WHERE confirmed_by <> '' AND state NOT IN {SETTLED}"
        )
    except psycopg.OperationalError as error:  # still starting
        return [{"database": str(error)}]


async def read(town: Town, seconds: float) -> Books:
    """Read both sides, once every announcement has been heard."""
    for _ in range(150):
        if not town.rows("SELECT id FROM outbox_announcement WHERE delivered_at IS NULL"):
            break
        await asyncio.sleep(0.2)
    assert not town.rows("SELECT topic, attempts, last_error FROM outbox_announcement WHERE delivered_at IS NULL")
    events = town.rows("SELECT conversation_id, seq, event, payload FROM chat_conversationevent ORDER BY seq")
    return Books(town.rows(_ACCEPTED), await town.refunds(), events, seconds)


def check_money(books: Books) -> None:
    """Nothing twice, nothing lost: what is called succeeded was paid, and nothing else was."""
    paid = [refund["key"] for refund in books.refunds]
    assert len(paid) == len(set(paid)), Counter(paid).most_common(3)
    wanted = Counter((refund["order"], refund["amount"]) for refund in books.refunds)
    assert set(wanted.values()) <= {1}, wanted.most_common(3)  # each wish had an amount of its own
    succeeded = {str(row["id"]) for row in books.requests if row["state"] == "succeeded"}
    assert succeeded == set(paid), f"only paid {set(paid) - succeeded}, only told {succeeded - set(paid)}"


def check_ledger(town: Town, books: Books) -> None:
    entries = {row["request_id"]: row["status"] for row in town.rows("SELECT * FROM actions_ledgerentry")}
    for request in books.requests:
        expected = {"succeeded": "spent"}.get(request["state"], "released")
        assert entries[request["id"]] == expected, (request["id"], request["state"], entries[request["id"]])


def check_logs(books: Books) -> None:
    """Each conversation tells each accepted request's way once: queued, and the end it really has."""
    for request in books.requests:
        told, end = books.told(request), f"action.{request['state']}"
        assert told.count("action.queued") == 1 and told.count("action.proposed") == 1, (request["id"], told)
        assert [name for name in told if name in FINAL] == [end], (request["id"], end, told)


def check_shoppers(shoppers: list[Shopper]) -> None:
    """What a customer saw, over all their sockets, is the log; each word of theirs stands in it once."""
    for shopper in shoppers:
        said = [event["payload"]["client_id"] for event in shopper.log if event["payload"].get("source") == "customer"]
        assert len(said) == len(set(said)), said
        for wish in shopper.wishes:
            assert wish.outcome, wish
            if wish.is_confirmed:
                assert wish.outcome in FINAL, wish


def check_audit(town: Town, books: Books) -> None:
    """The command fails where the chain is broken."""
    told = json.loads(town.house.manage("audit_verify", "--json"))
    assert told["entries"] > 3 * len(books.requests)


def summary(books: Books, shoppers: list[Shopper], blows: Counter[str], seed: int) -> dict[str, Any]:
    outcomes = Counter(wish.outcome for shopper in shoppers for wish in shopper.wishes)
    return {
        "seed": seed,
        "blows": dict(blows),
        "accepted": len(books.requests),
        "states": dict(Counter(row["state"] for row in books.requests)),
        "attempts": dict(Counter(row["attempt_count"] for row in books.requests)),
        "paid": len(books.refunds),
        "wishes": dict(outcomes),
        "reconnects": sum(shopper.reconnects for shopper in shoppers),
        "seconds_to_settle": round(books.seconds_to_settle, 1),
    }
