"""A real Prometheus scrapes web, worker and beat by the configuration in the documentation, and tells an operator why
an answer was slow, what today's answers cost, which work is waiting and what is late.
"""

import asyncio
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import psycopg
import pytest
import yaml
from django.conf import settings

from supportbot.embedded.product_processes import ChildProcess
from supportbot.embedded.servers.postgres import DATABASE
from tests.deploy.test_alerts import panels
from tests.flows.people import Agent, Visitor, ask
from tests.flows.speech import QUESTION, whole
from tests.flows.stack import Stack, Web, web
from tests.modelserver import ModelServer
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed (Debian's package)"),
]
BASE = Path(settings.BASE_DIR)
TOKEN = "a-token-for-metrics"
PRICES = '{"currency": "EUR", "per_million_tokens": {"scripted": {"input": "100", "output": "400"}}}'
STALL_SECONDS = 2.0
Found = TypeVar("Found")
PARTS = ("search", "model", "tools", "check", "store")
WAITING = "max(supportbot_tickets_waiting)"
COST = "max by (currency) (supportbot_cost_today)"
PROBES = {"worker": "WORKER_PROBE_PORT", "beat": "BEAT_PROBE_PORT"}


# Events that have not occurred yet have no series, nor do budgets without a call.
MAY_BE_EMPTY = ("supportbot_withheld_total", "supportbot_actions", "supportbot_purpose_budget_ratio")


class Prometheus:
    def __init__(self, folder: Path, targets: dict[str, list[str]], interval: str) -> None:
        self._port = reserved_port()
        self._folder = folder
        token = folder / "token"
        token.write_text(TOKEN)
        written = re.search(
            r"```yaml\n(scrape_configs:.*?)```", (BASE / "docs" / "operating.md").read_text(), re.DOTALL
        )
        assert written is not None
        config = yaml.safe_load(written[1])
        for job in config["scrape_configs"]:
            job["authorization"]["credentials_file"] = str(token)
            job["static_configs"] = [{"targets": targets[job["job_name"]]}]
        config |= {
            "global": {"scrape_interval": interval, "evaluation_interval": "1s"},
            "rule_files": [str(BASE / "deploy" / "alerts.yaml")],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def start(self) -> "subprocess.Popen[bytes]":
        options = [f"--config.file={self._folder}/prometheus.yml", f"--storage.tsdb.path={self._folder}/series"]
        log = (self._folder / "prometheus.log").open("wb")
        return subprocess.Popen(
            ["prometheus", *options, f"--web.listen-address=127.0.0.1:{self._port}"], stdout=log, stderr=log
        )

    def get(self, path: str, **parameters: str | float) -> Any:
        address = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urlencode(parameters)}"
        with build_opener(ProxyHandler({})).open(address, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["data"]

    def values(self, query: str, **at: float) -> dict[str, float]:
        """Return the values of a query by their labels, now or at this `time`."""
        found = self.get("query", query=query, **at)["result"]
        return {" ".join(sorted(one["metric"].values())): float(one["value"][1]) for one in found}


class Watched(NamedTuple):
    """What Prometheus scrapes: a web process, a worker and a beat."""

    prometheus: Prometheus
    web: Web
    worker: ChildProcess


@pytest.fixture
def interval() -> str:
    """The time between two scrapes, which is also Prometheus' timeout."""
    return "1s"


@pytest.fixture
def watched(stack: Stack, model_settings: dict[str, str], tmp_path: Path, interval: str) -> Iterator[Watched]:
    ports = {name: str(reserved_port()) for name in PROBES}
    # A public address, as in production: metrics then need their token.
    given = {"METRICS_TOKEN": TOKEN, "PUBLIC_URL": "https://help.example", "LLM_PRICES": PRICES}
    given |= {"LOG_FORMAT": "json", **model_settings}
    children = [stack.child(name, **given, **{PROBES[name]: ports[name]}) for name in PROBES]
    with web(stack, **given) as one:
        for child in children:
            child.start()
        targets = {
            "supportbot-web": [one.address.removeprefix("http://")],
            "supportbot-parts": [f"127.0.0.1:{port}" for port in ports.values()],
        }
        prometheus = Prometheus(tmp_path, targets, interval)
        process = prometheus.start()
        try:
            yield Watched(prometheus, one, children[0])
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_SECONDS)
            for child in children:
                child.stop()


def wait_for(condition: Callable[[], Found]) -> Found:
    """Return the condition's value once it is true. After a scrape that a busy machine has delayed for too long, series
    are missing until the next one.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if found := condition():
                return found
        except OSError:  # Prometheus is still starting
            pass
        assert time.monotonic() < deadline
        time.sleep(0.5)


async def test_an_operator_sees_what_is_slow_what_it_costs_and_what_is_waiting(
    stack: Stack, model: ModelServer, watched: Watched
) -> None:
    """From the series and the log alone."""
    prometheus, one, worker = watched
    wait_for(lambda: list(prometheus.values("up").values()) == [1, 1, 1])
    before = wait_for(lambda: prometheus.values(WAITING))[""]
    cost_before = prometheus.values(COST).get("EUR", 0.0)
    visitor = Visitor(stack, one.address)
    async with visitor.chat() as socket:
        model.will(replace(whole(), first_after=STALL_SECONDS))
        await ask(socket, QUESTION)
        await socket.say("request_human")
    wait_for(lambda: prometheus.values('sum(supportbot_turns_total{outcome="answered"})').get("", 0) >= 1)

    # Why it was slow: in the series of this process, whose first answer it was, and in the line of the answer.
    phases = wait_for(lambda: prometheus.values("sum by (phase) (supportbot_turn_seconds_sum)"))
    assert {"queue", *PARTS, "first_text", "total"} <= phases.keys()
    assert STALL_SECONDS < phases["model"] <= phases["total"]
    [answer], [call] = (lines_of(one, name, conversation=visitor.conversation) for name in ("answer", "model_call"))
    assert answer["model_seconds"] == pytest.approx(phases["model"], abs=0.01)
    assert call["turn"] == answer["turn"] and STALL_SECONDS < call["first_token"] <= call["seconds"]

    # What today's answers cost, and who waits.
    spent = 'sum by (currency) (supportbot_model_cost_total{currency="EUR"})'
    [cost] = wait_for(lambda: prometheus.values(spent)).values()
    assert cost == pytest.approx(float(call["cost"])) and cost > 0
    wait_for(lambda: prometheus.values(COST).get("EUR", 0.0) == pytest.approx(cost_before + cost))
    wait_for(lambda: prometheus.values(WAITING).get("", 0) >= before + 1)
    wait_for(lambda: prometheus.values("max(supportbot_turns_pending)") == {"": 0})
    wait_for(lambda: "" in prometheus.values("max(supportbot_mail_due)"))
    for query in (query["expr"].replace("$__rate_interval", "1m") for panel in panels() for query in panel["targets"]):
        if not any(name in query for name in MAY_BE_EMPTY):
            wait_for(lambda query=query: prometheus.values(query))  # type: ignore[misc]  # a panel with a graph
    groups = prometheus.get("rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert not [alert for alert in prometheus.get("alerts")["alerts"] if alert["state"] == "firing"]

    # What is late: without a worker, an article waits until one indexes it.
    behind = "max(supportbot_index_behind)"
    wait_for(lambda: prometheus.values(behind) == {"": 0})
    await asyncio.to_thread(worker.stop)
    made = json.loads(stack.manage("apikey_create", "An editor's program", "--scope", "kb:write", "--json"))
    editor = Agent(replace(stack, demo={"api_key": made["api_key"]}), one.address)
    article = await editor.does("POST", "articles", {"title": "Keys", "body": "The caretaker has the second key."})
    await editor.does("POST", f"articles/{article['id']}/publish", {})
    wait_for(lambda: prometheus.values(behind) == {"": 1})
    worker.start()
    wait_for(lambda: prometheus.values(behind) == {"": 0})
    await editor.does("POST", f"articles/{article['id']}/archive", {})


def lines_of(one: Web, message: str, **ids: str) -> list[dict[str, Any]]:
    """Return the lines of a web process's log with this message and these ids."""
    assert one.child.log is not None
    lines = (json.loads(line) for line in one.child.log.read_text().splitlines() if line.startswith("{"))
    return [line for line in lines if line["message"] == message and ids.items() <= line.items()]


def test_a_part_that_stops_is_noticed_while_the_others_stay_up(watched: Watched) -> None:
    prometheus, one, _ = watched
    wait_for(lambda: list(prometheus.values("up").values()) == [1, 1, 1])
    one.kill()
    wait_for(lambda: sorted(prometheus.values("up").values()) == [0, 1, 1])
    wait_for(
        lambda: "SupportBotPartDown" in {alert["labels"]["alertname"] for alert in prometheus.get("alerts")["alerts"]}
    )
    one.start()
    wait_for(lambda: list(prometheus.values("up").values()) == [1, 1, 1])


@contextmanager
def away(stack: Stack) -> Iterator[None]:
    """Close the database to everybody, and end all connections."""
    with psycopg.connect(stack.postgres.conninfo("postgres"), autocommit=True) as other:
        other.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS false".encode())
        try:
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [DATABASE])
            yield
        finally:
            other.execute(f"ALTER DATABASE {DATABASE} ALLOW_CONNECTIONS true".encode())


# Also the timeout, which is then Prometheus' default. During an outage, a scrape waits a few seconds for the database.
@pytest.mark.parametrize("interval", ["10s"])
def test_an_outage_of_the_database_is_reported_and_affects_nothing_else(stack: Stack, watched: Watched) -> None:
    prometheus = watched.prometheus

    def alerts() -> dict[str, str]:
        return {one["labels"]["alertname"]: one["state"] for one in prometheus.get("alerts")["alerts"]}

    wait_for(lambda: list(prometheus.values("up").values()) == [1, 1, 1])
    wait_for(lambda: prometheus.values("max(supportbot_gauges_up)") == {"": 1})
    with away(stack):
        begun = time.time()

        def since(query: str, until: float) -> dict[str, float]:
            """Return the values of a query in which OUTAGE stands for the time since the beginning of the outage."""
            return prometheus.values(query.replace("OUTAGE", f"{round(1000 * (until - begun))}ms"), time=until)

        wait_for(lambda: alerts().get("SupportBotDatabaseSilent") == "pending")  # it fires after two minutes
        wait_for(lambda: len(since("count_over_time(up[OUTAGE]) >= 3", time.time())) == 3)
        until = time.time()
        # Do not wait for anything here: a part that was down for one scrape has been affected.
        assert list(since("min_over_time(up[OUTAGE])", until).values()) == [1, 1, 1]
        assert since('count_over_time(ALERTS{alertname="SupportBotPartDown"}[OUTAGE])', until) == {}
        scrapes = "count_over_time(up[OUTAGE])"
        assert len(since(f"count_over_time(supportbot_build_info[OUTAGE]) == on (job, instance) {scrapes}", until)) == 3
    wait_for(lambda: prometheus.values("max(supportbot_gauges_up)") == {"": 1})
