"""The overlay `production` with gateway.yaml in place of ingress.yaml, for clusters with Gateway API."""

import json
import shutil
from pathlib import Path
from typing import Any, Final

import jsonschema
import pytest
import yaml
from django.conf import settings

from supportbot.health.middleware import PATHS
from tests.deploy.test_files import KUBERNETES, check_schema, manifests
from tests.deploy.test_rendered import built, needs_kustomize

SCHEMAS: Final = json.loads(Path(__file__).with_name("gateway_api.json").read_text())
GROUP: Final = "gateway.networking.k8s.io/v1"


def check(one: dict[str, Any]) -> None:
    """Raise an error if Gateway API's definitions, or Kubernetes' own ones, would refuse this object."""
    if one["apiVersion"] != GROUP:
        check_schema(one)
        return
    assert one.keys() == {"apiVersion", "kind", "metadata", "spec"} and one["metadata"]["name"]
    jsonschema.validate(one["spec"], SCHEMAS[one["kind"]], jsonschema.Draft202012Validator)


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    """`production` after the guide's change to one of its lines."""
    folder = Path(shutil.copytree(KUBERNETES, tmp_path / "kubernetes")) / "overlays" / "production"
    file = folder / "kustomization.yaml"
    changed = file.read_text().replace("  - ingress.yaml # or gateway.yaml,", "  - gateway.yaml #")
    file.write_text(changed)
    assert "- gateway.yaml" in changed and "- ingress.yaml" not in changed
    guide = " ".join((settings.BASE_DIR / "docs" / "deploy.md").read_text().split())
    assert "write `gateway.yaml` in place of `ingress.yaml` in its `kustomization.yaml`" in guide
    return folder


def objects(found: list[dict[str, Any]], kind: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def test_the_gateways_objects_are_valid(overlay: Path) -> None:
    found = manifests(overlay)
    assert {"Gateway", "HTTPRoute"} <= {one["kind"] for one in found} and not objects(found, "Ingress")
    for one in found:
        check(one)
    wrong = objects(found, "HTTPRoute")["supportbot"]
    wrong["spec"]["rules"][1]["timeout"] = wrong["spec"]["rules"][1].pop("timeouts")
    with pytest.raises(jsonschema.ValidationError, match="timeout"):
        check(wrong)


@needs_kustomize
@pytest.mark.long
def test_kustomize_renders_the_gateway(overlay: Path) -> None:
    found = built(overlay)
    assert {"supportbot", "supportbot-redirect"} == objects(found, "HTTPRoute").keys()
    for one in found:
        check(one)
        assert one["metadata"]["namespace"] == "supportbot"


def test_routes_lead_from_listeners_to_services(overlay: Path) -> None:
    found = manifests(overlay)
    [gateway] = objects(found, "Gateway").values()
    listeners = {one["name"]: one for one in gateway["spec"]["listeners"]}
    services = objects(found, "Service")
    [ingress] = yaml.safe_load_all((overlay / "ingress.yaml").read_text())
    hosts = {rule["host"] for rule in ingress["spec"]["rules"]}
    assert listeners["https"]["tls"]["certificateRefs"] == [{"name": ingress["spec"]["tls"][0]["secretName"]}]
    for route in objects(found, "HTTPRoute").values():
        [parent] = route["spec"]["parentRefs"]
        assert parent["name"] == gateway["metadata"]["name"]
        assert set(route["spec"]["hostnames"]) == hosts == {listeners[parent["sectionName"]]["hostname"]}
        for backend in [one for rule in route["spec"]["rules"] for one in rule.get("backendRefs", [])]:
            assert backend["port"] in {port["port"] for port in services[backend["name"]]["spec"]["ports"]}
    for name in ("supportbot-web", "supportbot-sockets"):
        assert services[name]["spec"]["selector"] == {"app.kubernetes.io/component": "web"}


def test_sockets_stay_open_and_probes_are_hidden(overlay: Path) -> None:
    """A service without pods hides them. Without `timeouts`, an implementation may end a socket after 15 seconds."""
    routes = objects(manifests(overlay), "HTTPRoute")
    hidden, sockets, everything = routes["supportbot"]["spec"]["rules"]
    matches = [one["path"] for one in hidden["matches"]]
    assert {one["value"] for one in matches} == PATHS and {one["type"] for one in matches} == {"Exact"}
    assert hidden["backendRefs"][0]["name"] == "supportbot-nothing"
    assert sockets["matches"] == [{"path": {"type": "PathPrefix", "value": "/ws"}}]
    assert sockets["timeouts"] == everything["timeouts"] == {"request": "0s"}
    [service] = [one for name, one in objects(manifests(overlay), "Service").items() if name == "supportbot-sockets"]
    assert service["spec"]["ports"][0]["appProtocol"] == "kubernetes.io/ws"
    [redirect] = routes["supportbot-redirect"]["spec"]["rules"][0]["filters"]
    assert redirect["requestRedirect"]["scheme"] == "https"
