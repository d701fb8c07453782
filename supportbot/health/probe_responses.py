"""The responses to probes, by role and address. Values in, values out, so that a page and a small server respond in the
same way.

| address | meaning |
|---|---|
| `/livez` | the process is not stuck; nothing outside it is checked |
| `/readyz` | it can do its work, and should be given some |
| `/healthz` | all parts of the installation work (web processes only) |
| `/metrics` | Prometheus' text format |

Details and metrics reveal too much to strangers, so they need METRICS_TOKEN. The exception is an instance that listens
only on loopback and is not public, if the request came directly from this machine and addresses it by a loopback
address. The last condition is for browsers: a page of another site can reach this port under its own host name, and
must not read the response.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from supportbot.health.checks import CHECKS, outcomes, parked_announcements
from supportbot.health.gauges import gauges
from supportbot.installation.start_plan import is_loopback
from supportbot.observing.metrics import BUILD
from supportbot.version import VERSION

BUILD.labels(VERSION).set(1)

# Headers that proxies add, including those of large providers. A request with one of them is not from this machine.
FORWARDED: Final = ("x-forwarded", "forwarded", "x-real-ip", "via", "cf-connecting-ip", "true-client-ip")
TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Role:
    """The checks that decide whether a process is alive (`live`), whether it is ready (`ready`), and whether the whole
    installation works (`healthy`). A role that `counts` also reports waiting work from the database.
    """

    live: tuple[str, ...]
    ready: tuple[str, ...]
    healthy: tuple[str, ...] = ()
    counts: bool = True


# A web process without a worker still answers customers, so it stays ready; only its health shows this.
WEB: Final = Role((), ("database", "migrations", "runner"), tuple(name for name in CHECKS if name != "loop"))
WORKER: Final = Role(("loop",), ("database", "migrations", "broker"))
BEAT: Final = Role(("loop",), ("broker",), counts=False)


@dataclass(frozen=True)
class ProbeRequest:
    """A request for one of the addresses. Header names are in lower case."""

    path: str
    client: str
    listens_on: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    content_type: str = TEXT


def answer(request: ProbeRequest, role: Role) -> Answer | None:
    """Return the response, or None if this role does not serve the address."""
    match request.path:
        case "/livez":
            return _alive(outcomes(role.live))
        case "/readyz":
            return _verdict("ready", outcomes(role.ready), request)
        case "/healthz" if role.healthy:
            return _health(outcomes(role.healthy), request)
        case "/metrics":
            return _metrics(request, role)
    return None


def _alive(found: dict[str, str]) -> Answer:
    wrong = [f"{name}: {outcome}\n" for name, outcome in found.items() if outcome != "ok"]
    return Answer(503, "".join(wrong).encode()) if wrong else Answer(200, b"ok\n")


def _health(found: dict[str, str], request: ProbeRequest) -> Answer:
    # Parked announcements do not count as unhealthy, because neither a restart nor another process would help.
    parked = parked_announcements() if found["database"] == found["migrations"] == "ok" else None
    return _verdict("healthy", found, request, parked_announcements=parked)


def _verdict(name: str, found: dict[str, str], request: ProbeRequest, **more: object) -> Answer:
    is_well = all(outcome == "ok" for outcome in found.values())
    body: dict[str, object] = {name: is_well}
    if _may_see_details(request):
        body |= {"checks": found, **more}
    return Answer(200 if is_well else 503, json.dumps(body).encode(), "application/json")


def _metrics(request: ProbeRequest, role: Role) -> Answer:
    if not _may_see_details(request):
        return Answer(403, b"The metrics token is required.\n")
    counted = CollectorRegistry()
    if role.counts:
        counted.register(gauges)
    return Answer(200, generate_latest(_of_processes()) + generate_latest(counted), CONTENT_TYPE_LATEST)


def _of_processes() -> CollectorRegistry:
    """Return the counts of this process or, if several share its port, the totals of all of them."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    shared = CollectorRegistry()
    MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # registers itself
    return shared


def _may_see_details(request: ProbeRequest) -> bool:
    if settings.METRICS_TOKEN:
        return _shows_token(request) or _is_private(request)
    return _is_private(request)


def _is_private(request: ProbeRequest) -> bool:
    was_forwarded = any(name.startswith(FORWARDED) for name in request.headers)
    is_here = is_loopback(request.listens_on) and not settings.PUBLIC_URL and is_loopback(request.client)
    return is_here and not was_forwarded and _names_this_machine(request.headers.get("host", ""))


def _names_this_machine(host: str) -> bool:
    try:
        return is_loopback(urlsplit(f"//{host}").hostname or "")
    except ValueError:  # an unmatched bracket
        return False


def _shows_token(request: ProbeRequest) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    # Compare bytes, because compare_digest accepts only ASCII strings.
    is_same = compare_digest(token.encode("utf-8", "surrogatepass"), settings.METRICS_TOKEN.encode())
    return scheme.lower() == "bearer" and is_same
