"""compose.yaml and the overlays as the official tools read them: Compose with its schema, and kustomize, which
renders what a cluster is given.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from django.conf import settings

from tests.deploy.test_files import COMMANDS, DEPLOY, KUBERNETES, OVERLAYS, OWNER, PORTS, check_schema
from tests.patience import PATIENCE_SECONDS

needs_compose = pytest.mark.skipif(
    shutil.which("docker-compose") is None, reason="docker-compose is not installed (Debian's package of that name)"
)
needs_kustomize = pytest.mark.skipif(
    shutil.which("kustomize") is None, reason="kustomize is not installed (Debian's package of that name)"
)
POD_KINDS: Final = ("Deployment", "Job", "CronJob")


def compose(file: Path) -> "subprocess.CompletedProcess[str]":
    """Check a compose file by the schema that Compose contains; this needs no daemon."""
    return subprocess.run(
        ["docker-compose", "--file", str(file), "config", "--format", "json"],
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip


@cache
def rendered(overlay: str) -> list[dict[str, Any]]:
    """Return the objects of an overlay as kustomize renders them, with its patches, images and config maps."""
    return built(KUBERNETES / "overlays" / overlay)


def built(folder: Path) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["kustomize", "build", str(folder)], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def pod_specs(overlay: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each part's name and the specification of its pods."""
    for one in rendered(overlay):
        if one["kind"] in POD_KINDS:
            spec = one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]
            yield one["metadata"]["name"].removeprefix("supportbot-"), spec["template"]["spec"]


@needs_compose
def test_compose_accepts_its_file(tmp_path: Path) -> None:
    accepted = compose(DEPLOY / "compose.yaml")
    assert accepted.returncode == 0 and not accepted.stderr, accepted.stderr
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((DEPLOY / "compose.yaml").read_text().replace("command: [serve]", "comand: [serve]"))
    refused = compose(wrong)
    assert refused.returncode != 0 and "comand" in refused.stderr, "Compose checks the file by a schema"


@needs_compose
def test_a_filled_env_file_stops_no_container(tmp_path: Path) -> None:
    """The settings of the guide's example, and an image that was built elsewhere."""
    guide = (settings.BASE_DIR / "docs" / "deploy.md").read_text()
    example = "\n".join(
        re.findall(r"^    (\w+=\S+)$", guide.partition("## Compose")[2].partition("##")[0], re.MULTILINE)
    )
    shutil.copy(DEPLOY / "compose.yaml", tmp_path)
    (tmp_path / ".env").write_text(f"{example}\nCONTAINER_IMAGE=registry.example.com/supportbot:0.2\n")
    services = json.loads(compose(tmp_path / "compose.yaml").stdout)["services"]
    ours = {name: one for name, one in services.items() if name in ("secrets", "migrate", *COMMANDS)}
    assert {one["image"] for one in ours.values()} == {"registry.example.com/supportbot:0.2"}
    given = ours["migrate"]["environment"]
    assert all(given.items() >= one["environment"].items() for one in ours.values())
    assert given["PUBLIC_URL"] == "https://support.example.com" and "EMAIL_URL" in given
    started = subprocess.run(
        [sys.executable, "-c", "import supportbot.settings"], env={**given, "DATA_DIR": str(tmp_path)},
        cwd=settings.BASE_DIR, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    assert started.returncode == 0, started.stderr


@pytest.mark.one_in(3)
@needs_kustomize
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_renders_valid_objects(overlay: str) -> None:
    found = rendered(overlay)
    for one in found:
        check_schema(one)
        assert one["metadata"]["namespace"] == "supportbot"
    [config] = [one["metadata"]["name"] for one in found if one["kind"] == "ConfigMap"]
    specs = dict(pod_specs(overlay))
    assert specs.keys() >= {*COMMANDS, "migrate", "reindex"}
    for name, spec in specs.items():
        [container] = spec["containers"]
        # If the configuration changes, its config map gets a different name, so the pods are replaced.
        assert config != "supportbot" and {"configMapRef": {"name": config}} in container["envFrom"]
        assert (OWNER in container["envFrom"]) == (name not in COMMANDS)
        assert container["image"] == (
            "supportbot:latest" if overlay == "small" else "registry.example.com/supportbot:0.2"
        )


@needs_kustomize
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_number_of_pods_is_set_once(overlay: str) -> None:
    """By the overlay, or by its autoscaler, which counts waiting work too in the overlay `metrics`."""
    found = rendered(overlay)
    scalers = {one["spec"]["scaleTargetRef"]["name"]: one for one in found if one["kind"] == "HorizontalPodAutoscaler"}
    replicas = {one["metadata"]["name"]: one["spec"].get("replicas") for one in found if one["kind"] == "Deployment"}
    scaled = None if scalers else 1
    assert replicas == {"supportbot-web": scaled, "supportbot-worker": scaled, "supportbot-beat": 1}
    kinds = {name: {metric["type"] for metric in one["spec"]["metrics"]} for name, one in scalers.items()}
    expected = {"small": {}, "production": {"Resource"}, "metrics": {"Resource", "External"}}[overlay]
    assert kinds == (dict.fromkeys(("supportbot-web", "supportbot-worker"), expected) if expected else {})


@needs_kustomize
@pytest.mark.parametrize("overlay", OVERLAYS)
def test_services_and_budgets_select_pods(overlay: str) -> None:
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in rendered(overlay) if one["kind"] == "Deployment"]
    for one in rendered(overlay):
        match one["kind"]:
            case "Service":
                wanted = one["spec"]["selector"]
            case "PodDisruptionBudget":
                wanted = one["spec"]["selector"]["matchLabels"]
            case _:
                continue
        selected = [own for own in labels if wanted.items() <= own.items()]
        assert len(selected) == (one["metadata"]["name"] != "supportbot-nothing"), one["metadata"]["name"]


def environment_of(overlay: str, part: str, secrets: dict[str, dict[str, str]]) -> dict[str, str]:
    """Return exactly the variables of a part's container: of the image, the rendered pod, these secrets, and the links
    that Kubernetes adds for the services of the namespace.
    """
    image = re.search(r"^ENV (.*?)^USER", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE | re.DOTALL)
    assert image is not None
    given = dict(pair.split("=", 1) for pair in image[1].replace("\\\n", " ").split())
    [config] = [one["data"] for one in rendered(overlay) if one["kind"] == "ConfigMap"]
    for service in [one["metadata"]["name"] for one in rendered(overlay) if one["kind"] == "Service"]:
        name = service.upper().replace("-", "_")
        given |= {
            f"{name}_SERVICE_HOST": "10.0.0.7", f"{name}_SERVICE_PORT": "80", f"{name}_SERVICE_PORT_HTTP": "80",
            f"{name}_PORT": "tcp://10.0.0.7:80", f"{name}_PORT_80_TCP": "tcp://10.0.0.7:80",
            f"{name}_PORT_80_TCP_PROTO": "tcp", f"{name}_PORT_80_TCP_PORT": "80",
            f"{name}_PORT_80_TCP_ADDR": "10.0.0.7",
        }  # fmt: skip
    [container] = dict(pod_specs(overlay))[part]["containers"]
    for source in container["envFrom"]:
        given |= config if "configMapRef" in source else secrets[source["secretRef"]["name"]]
    return given | {one["name"]: one["value"] for one in container.get("env", [])}


def arguments_of(overlay: str, part: str) -> list[str]:
    [container] = dict(pod_specs(overlay))[part]["containers"]
    return [str(argument) for argument in container["args"]]


def probes_of(overlay: str, part: str) -> set[str]:
    """Return the pages that the part's probes ask for, on the port of the image."""
    [container] = dict(pod_specs(overlay))[part]["containers"]
    asked = [container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "liveness", "readiness")]
    assert {one["port"] for one in asked} == {PORTS[part]}
    return {one["path"] for one in asked}
