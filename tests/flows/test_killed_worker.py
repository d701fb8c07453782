"""The worker is killed in the middle of an evaluation, twice: the result is the same as that of an undisturbed run."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import psycopg
import pytest
from psycopg.rows import dict_row

from supportbot.embedded.product_processes import ChildProcess
from tests.flows.people import Agent
from tests.flows.stack import Stack, Web, web

pytestmark = pytest.mark.long
SUITE: Final = "languages"
REPEAT: Final = 2
KILLED_AFTER: Final = (10, 30)  # stored tries
POLL_SECONDS: Final = 0.2
RUN_SECONDS: Final = 600.0  # this includes waiting for two leases of 40 seconds
# Once this many tries are stored, each further one waits before it is stored.
HOLDING: Final = """
CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM evals_result WHERE run_id = NEW.run_id) >= {} THEN
        PERFORM pg_advisory_xact_lock(19);
    END IF;
    RETURN NEW;
END $$"""
END_HELD: Final = """
SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event = 'advisory' AND query LIKE '%evals_result%'"""
TIMED: Final = ("p50_ms", "p95_ms")


@pytest.fixture
def served(stack: Stack) -> Iterator[Web]:
    with web(stack) as made:
        yield made


@contextmanager
def started(child: ChildProcess) -> Iterator[ChildProcess]:
    child.start()
    try:
        yield child
    finally:
        child.stop()


async def test_a_run_whose_worker_is_killed_ends_like_one_that_was_left_alone(stack: Stack, served: Web) -> None:
    agent = Agent(stack, served.address)
    left_alone = json.loads(await asyncio.to_thread(stack.manage, "eval_run", SUITE, "--repeat", str(REPEAT), "--json"))
    (stack.folder / "data" / "beat").mkdir(exist_ok=True)
    with started(stack.child("worker")) as worker, started(stack.child("beat")), held(stack) as keeper:
        begun = await agent.does("POST", "evaluations/runs", {"suite": SUITE, "repeat": REPEAT, "against": None})
        async with asyncio.timeout(RUN_SECONDS):
            for stored in KILLED_AFTER:
                keeper.execute(HOLDING.format(stored).encode())
                if not worker.is_alive:
                    worker.start()
                await until_stored(stack, agent, begun["id"], stored)
                kill(worker)
                while keeper.execute(END_HELD).fetchall():  # they would be stored, although nobody waits for them
                    pass
                assert stored <= len(tries_of(stack, begun["id"])) < begun["total"], "in the middle"
            keeper.execute("DROP TRIGGER hold ON evals_result")
            worker.start()
            while (run := await state_of(agent, begun["id"]))["state"] != "done":  # noqa: ASYNC110  # over REST
                await asyncio.sleep(POLL_SECONDS)
    tries = tries_of(stack, begun["id"])
    assert run["done"] == run["total"] == len(tries) == left_alone["cases"] * REPEAT
    assert set(Counter((row["key"], row["number"]) for row in tries).values()) == {1}
    assert list(map(outcome, tries)) == list(map(outcome, tries_of(stack, left_alone["run"])))
    assert without_times(run["report"]) == without_times(report_of(stack, left_alone["run"]))


@contextmanager
def held(stack: Stack) -> Iterator["psycopg.Connection[Any]"]:
    """Let tries wait as `HOLDING` says, so that a run goes no further before its worker is killed, however late that
    is on a busy machine; yields the connection that holds them.
    """
    with psycopg.connect(stack.postgres.conninfo(), autocommit=True) as keeper:
        keeper.execute("SELECT pg_advisory_lock(19)")
        keeper.execute(HOLDING.format(KILLED_AFTER[0]).encode())
        keeper.execute("CREATE TRIGGER hold BEFORE INSERT ON evals_result FOR EACH ROW EXECUTE FUNCTION hold()")
        try:
            yield keeper
        finally:
            keeper.execute("SELECT pg_advisory_unlock(19)")
            keeper.execute("DROP TRIGGER IF EXISTS hold ON evals_result")


async def until_stored(stack: Stack, agent: Agent, run_id: str, count: int) -> None:
    while len(tries_of(stack, run_id)) < count:
        await state_of(agent, run_id)
        await asyncio.sleep(POLL_SECONDS)


async def state_of(agent: Agent, run_id: str) -> dict[str, Any]:
    """Return a run, which must not have stopped: nobody continues it by hand."""
    run: dict[str, Any] = await agent.does("GET", f"evaluations/runs/{run_id}")
    assert run["state"] in ("waiting", "running", "done"), (run["state"], run["problem"])
    return run


def kill(worker: ChildProcess) -> None:
    """End it as a crash would: no handler of its own runs, and no lease is given back."""
    assert worker.process is not None
    worker.process.kill()
    worker.process.wait()


def tries_of(stack: Stack, run_id: str) -> list[dict[str, Any]]:
    with psycopg.connect(stack.postgres.conninfo(), row_factory=dict_row) as connection:
        query = "SELECT key, number, passed, grades, played FROM evals_result WHERE run_id = %s ORDER BY key, number"
        return connection.execute(query, [run_id]).fetchall()


def report_of(stack: Stack, run_id: str) -> dict[str, Any]:
    with psycopg.connect(stack.postgres.conninfo()) as connection:
        [(report,)] = connection.execute("SELECT report FROM evals_run WHERE id = %s", [run_id]).fetchall()
    return dict(report)


def outcome(row: dict[str, Any]) -> dict[str, Any]:
    """Return a try without the times of its answers and without addresses, since ports differ between processes."""
    replies = [
        {name: value for name, value in reply.items() if name != "took_ms"} for reply in row["played"]["replies"]
    ]
    for reply in replies:
        reply["citations"] = [{**citation, "url": ""} for citation in reply["citations"]]
    return {**{name: row[name] for name in ("key", "number", "passed", "grades")}, "replies": replies}


def without_times(report: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in report.items() if name not in TIMED}
