"""The pods of the overlay `production` as processes: their arguments, and exactly their containers' environment."""

import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.deploy.test_files import COMMANDS
from tests.deploy.test_parts import PATH, entry, manage, status
from tests.deploy.test_reindex import SECRETS, addresses
from tests.deploy.test_rendered import arguments_of, environment_of, needs_kustomize, probes_of
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

__all__ = ["addresses"]  # a fixture
pytestmark = [pytest.mark.long, needs_kustomize]
OVERLAY = "production"


def environment(part: str, addresses: dict[str, str], folder: Path) -> dict[str, str]:
    """Return the variables of a pod, with a path, a port and a folder of this machine."""
    owner = {"DATABASE_OWNER_URL": addresses["DATABASE_OWNER_URL"]}
    ours = {**SECRETS, "DATABASE_URL": addresses["DATABASE_URL"], "REDIS_URL": addresses["REDIS_URL"]}
    secrets = {"supportbot": {**ours, "METRICS_TOKEN": "token"}, "supportbot-owner": owner}
    data = folder / part
    data.mkdir(mode=0o700)
    ports = {name: str(reserved_port()) for name in ("PORT", "WORKER_PROBE_PORT", "BEAT_PROBE_PORT")}
    return {**environment_of(OVERLAY, part, secrets), **ports, "PATH": PATH, "DATA_DIR": str(data), "HOST": "127.0.0.1"}


@dataclass
class Pod:
    process: "subprocess.Popen[bytes]"
    port: int  # for its probes

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=PATIENCE_SECONDS) in (0, -signal.SIGTERM)


@pytest.fixture
def pods(addresses: dict[str, str], tmp_path: Path) -> Iterator[dict[str, Pod]]:
    """Migrate, then start the processes of the pods."""
    manage(environment("migrate", addresses, tmp_path), *arguments_of(OVERLAY, "migrate"))
    found = {}
    with (tmp_path / "log").open("wb") as log:
        for part, name in zip(COMMANDS, ("PORT", "WORKER_PROBE_PORT", "BEAT_PROBE_PORT"), strict=True):
            given, command = environment(part, addresses, tmp_path), entry(*arguments_of(OVERLAY, part))
            found[part] = Pod(subprocess.Popen(command, env=given, stdout=log, stderr=log), int(given[name]))
    yield found
    for pod in found.values():
        pod.stop()


def test_every_pod_passes_its_probes_and_web_needs_no_worker(
    pods: dict[str, Pod], valkey_url: str, tmp_path: Path
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    for part, pod in pods.items():
        for page in probes_of(OVERLAY, part):
            while status(pod.port, page) != 200:
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()[-2000:]
                time.sleep(0.5)
        assert status(pod.port, "/metrics") in (401, 403, 404), "without its token"
    pods["worker"].stop()
    with redis.Redis.from_url(valkey_url) as server:
        server.flushall()  # the worker's sign of life is gone, as after 45 seconds
    assert status(pods["worker"].port, "/readyz") == 0
    assert [first_status(pods[part].port, "/readyz") for part in ("web", "beat")] == [200, 200]


def first_status(port: int, page: str) -> int:
    """Return the status of the first answer. Only a request that gets none is repeated: its server is busy."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (answered := status(port, page)):
        assert time.monotonic() < deadline
        time.sleep(0.5)
    return answered
