"""Alert rules and dashboard: Prometheus' own tool reads and evaluates them, and they use only existing series."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from prometheus_client import REGISTRY

from supportbot.health.gauges import QUERIES
from supportbot.observing import metrics
from tests.patience import PATIENCE_SECONDS

DEPLOY = Path(settings.BASE_DIR) / "deploy"
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (Debian's package prometheus)"
)


def promtool(*arguments: str) -> None:
    answer = subprocess.run(
        ["promtool", *arguments], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def rules() -> list[dict[str, Any]]:
    loaded = yaml.safe_load((DEPLOY / "alerts.yaml").read_text())
    return [rule for group in loaded["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads((DEPLOY / "dashboard.json").read_text())["panels"] if panel["type"] != "row"]


def queries() -> list[str]:
    """Return all queries in PromQL: of the alerts, the dashboard and the adapter that scales pods."""
    adapter = yaml.safe_load((DEPLOY / "kubernetes" / "overlays" / "metrics" / "adapter-rules.yaml").read_text())
    return [
        *(rule["expr"] for rule in rules()),
        *(query["expr"] for panel in panels() for query in panel["targets"]),
        *(rule["metricsQuery"] for rule in adapter["rules"]["external"]),
    ]


def known_series() -> set[str]:
    assert metrics.BUILD is not None  # all counters are registered
    counted = {name for names in REGISTRY._collector_to_names.values() for name in names}
    asked = {f"supportbot_{name}" for name, _, _, _ in QUERIES}
    return counted | asked | {"supportbot_gauges_up", "supportbot_gauges_late", "supportbot_celery_queue_length"}


def test_every_query_uses_existing_series() -> None:
    from supportbot.assistant import turn  # noqa: F401  # registers the series of the checks

    used = {name for query in queries() for name in re.findall(r"\bsupportbot_\w+", query)}
    assert used and used <= known_series(), used - known_series()


def test_panels_do_not_overlap() -> None:
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}
    assert len(places) == len(panels()) and len({panel["id"] for panel in panels()}) == len(panels())


@pytest.mark.long
@needs_promtool
def test_each_rule_fires_on_its_condition() -> None:
    promtool("check", "rules", str(DEPLOY / "alerts.yaml"))
    promtool("test", "rules", str(Path(__file__).with_name("alerts.test.yaml")))


@needs_promtool
def test_prometheus_understands_every_query(tmp_path: Path) -> None:
    recorded = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "5m")}
        for number, query in enumerate(queries())
    ]
    file = tmp_path / "panels.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": recorded}]}))
    promtool("check", "rules", str(file))
