"""A real Prometheus scrapes web, worker and beat by the configuration in the documentation, and tells an operator why
an answer was slow, what today costs, which work waits and what is behind.
"""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import psycopg
import pytest
import yaml
from django.conf import settings

from supportbot.embedded.free_ports import free_port
from supportbot.embedded.servers.postgres import DATABASE
from tests.deploy.test_alerts import panels
from tests.flows.people import Visitor, ask
from tests.flows.speech import QUESTION, whole
from tests.flows.stack import Stack, Web, web
from tests.modelserver import ModelServer
from tests.patience import PATIENCE_SECONDS

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed (Debian's package)"),
]
BASE = Path(settings.BASE_DIR)
TOKEN = "a-token-for-metrics"
PRICES = '{"currency": "EUR", "per_million_tokens": {"scripted": {"input": "100", "output": "400"}}}'
PROBES = {"worker": "WORKER_PROBE_PORT", "beat": "BEAT_PROBE_PORT"}


# Events that have not occurred yet have no series, nor do budgets without a call.
MAY_BE_EMPTY = ("supportbot_withheld_total", "supportbot_actions", "supportbot_purpose_budget_ratio")


class Prometheus:
    def __init__(self, folder: Path, targets: dict[str, list[str]], interval: str) -> None:
        self._port = free_port()
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

    def get(self, path: str, **parameters: str) -> Any:
        address = f"http://127.0.0.1:{self._port}/api/v1/{path}?{urlencode(parameters)}"
        with build_opener(ProxyHandler({})).open(address, timeout=PATIENCE_SECONDS) as answer:
            return json.load(answer)["data"]

    def values(self, query: str) -> dict[str, float]:
        """Return the values of a query by their labels."""
        found = self.get("query", query=query)["result"]
        return {" ".join(sorted(one["metric"].values())): float(one["value"][1]) for one in found}


@pytest.fixture
def interval() -> str:
    """The time between two scrapes, which is also Prometheus' timeout."""
    return "1s"


@pytest.fixture
def watched(
    stack: Stack, model_settings: dict[str, str], tmp_path: Path, interval: str
) -> Iterator[tuple[Prometheus, Web]]:
    ports = {name: str(free_port()) for name in PROBES}
    # A public address, as in production: metrics then need their token.
    given = {"METRICS_TOKEN": TOKEN, "PUBLIC_URL": "https://help.example", "LLM_PRICES": PRICES, **model_settings}
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
            yield prometheus, one
        finally:
            process.terminate()
            process.wait(timeout=PATIENCE_SECONDS)
            for child in children:
                child.stop()


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if condition():
                return
        except OSError:  # Prometheus is still starting
            pass
        assert time.monotonic() < deadline
        time.sleep(0.5)


async def test_an_operator_sees_what_is_slow_what_it_costs_and_what_is_waiting(
    stack: Stack, model: ModelServer, watched: tuple[Prometheus, Web]
) -> None:
    prometheus, one = watched
    wait_for(lambda: list(prometheus.values("up").values()) == [1, 1, 1])
    async with Visitor(stack, one.address).chat() as socket:
        model.will(whole())
        await ask(socket, QUESTION)
        await socket.say("request_human")
    wait_for(lambda: prometheus.values('sum(supportbot_turns_total{outcome="answered"})').get("", 0) >= 1)
    phases = prometheus.values("sum by (phase) (supportbot_turn_seconds_sum)")
    assert {"queue", "search", "model", "check", "store", "first_text", "total"} <= phases.keys()
    assert phases["total"] >= phases["search"] > 0
    for query in ("max(supportbot_turns_pending)", "max(supportbot_index_behind)", "max(supportbot_mail_due)"):
        wait_for(lambda query=query: "" in prometheus.values(query))  # type: ignore[misc]  # bound at once
    assert prometheus.values("max(supportbot_turns_pending)") == {"": 0}
    wait_for(lambda: prometheus.values("max by (currency) (supportbot_cost_today)").get("EUR", 0) > 0)
    wait_for(lambda: prometheus.values("max(supportbot_tickets_waiting)").get("", 0) >= 1)
    for query in (query["expr"].replace("$__rate_interval", "1m") for panel in panels() for query in panel["targets"]):
        if not any(name in query for name in MAY_BE_EMPTY):
            wait_for(lambda query=query: prometheus.values(query))  # type: ignore[misc]  # a panel with a graph
    groups = prometheus.get("rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}
    assert not [alert for alert in prometheus.get("alerts")["alerts"] if alert["state"] == "firing"]


def test_a_part_that_stops_is_noticed_while_the_others_stay_up(watched: tuple[Prometheus, Web]) -> None:
    prometheus, one = watched
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


@pytest.mark.parametrize("interval", ["5s"])
def test_an_outage_of_the_database_is_reported_and_affects_nothing_else(
    stack: Stack, watched: tuple[Prometheus, Web]
) -> None:
    prometheus, _ = watched

    def alerts() -> dict[str, str]:
        return {one["labels"]["alertname"]: one["state"] for one in prometheus.get("alerts")["alerts"]}

    wait_for(lambda: list(prometheus.values("up").values()) == [1, 1, 1])
    wait_for(lambda: prometheus.values("max(supportbot_gauges_up)") == {"": 1})
    with away(stack):
        wait_for(lambda: alerts().get("SupportBotDatabaseSilent") == "pending")  # it fires after two minutes
        wait_for(lambda: prometheus.values("count(count_over_time(up[15s]) > 2)") == {"": 3})
        assert list(prometheus.values("min_over_time(up[15s])").values()) == [1, 1, 1]
        assert "SupportBotPartDown" not in alerts()
        assert prometheus.values("count(supportbot_build_info)") == {"": 3}
    wait_for(lambda: prometheus.values("max(supportbot_gauges_up)") == {"": 1})
