"""The product's own processes: web, worker, beat and the demo shop."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings

from supportbot.embedded.processes import spawn, stop
from supportbot.installation.plan import Plan

WORKER_THREADS = 8
# Above it the server closes 1009; the application refuses from 16 KiB on, with an error frame.
SOCKET_FRAME_BYTES = 262_144
DRAIN_SECONDS = 15.0  # running turns get ten of them
WEB_GRACE_SECONDS = 12  # the web server closes what is left before the supervisor ends it by force


@dataclass
class ChildProcess:
    """One process that the supervisor keeps alive."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str]
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        with self.log.open("ab") as output:
            self.process = spawn(self.command, output=output, environment=self.environment, folder=self.folder)

    def ask_to_stop(self) -> None:
        if self.process is not None and self.is_alive:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, (signal.SIGTERM, DRAIN_SECONDS))
            self.process = None


def product_children(plan: Plan, logs: Path) -> list[ChildProcess]:
    """Return web, worker and beat, not started yet."""
    celery = [sys.executable, "-m", "celery", "-A", "supportbot"]
    commands = {
        "web": _web_command(plan),
        "worker": [*celery, "worker", "-P", "threads", "-c", str(WORKER_THREADS), "-Q", _queues(), "-l", "WARNING"],
        # Its own process: inside the worker it would outlive a kill -9 and go on publishing.
        "beat": [*celery, "beat", "-s", str(plan.data_dir / "beat" / "schedule"), "--pidfile=", "-l", "WARNING"],
    }
    environment = product_environment(plan)
    return [
        ChildProcess(name, command, logs / f"{name}.log", environment, folder=settings.BASE_DIR)
        for name, command in commands.items()
    ]


def _web_command(plan: Plan) -> list[str]:
    command = [sys.executable, "-m", "uvicorn", "supportbot.asgi:application"]
    command += ["--host", plan.host, "--port", str(plan.port), "--lifespan", "on"]
    command += ["--ws", "auto", "--ws-max-size", str(SOCKET_FRAME_BYTES)]
    # Frames are small: compressing them would double the memory of an idle socket and cost time on each frame.
    command += ["--ws-per-message-deflate", "false"]
    command += ["--timeout-graceful-shutdown", str(WEB_GRACE_SECONDS)]
    # Nothing stands in front of it here, so a forwarded address is a claim of the caller.
    return [*command, "--no-proxy-headers", "--no-server-header", "--no-access-log", "--log-level", "warning"]


def _queues() -> str:
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    return ",".join(sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *routed}))


def product_environment(plan: Plan) -> dict[str, str]:
    """Return the environment of a child; the embedded servers' addresses come from `runtime.json`, not from here."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "supportbot.settings",
        "DATA_DIR": str(plan.data_dir),
        "HOST": plan.host,
        "PORT": str(plan.port),
        "SHOP_PORT": str(plan.shop_port),
        # More threads per embedding only wait for each other when web and worker embed at once.
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def shop_child(plan: Plan, logs: Path, *, channel: str, identity_secret: str, webhook_secret: str) -> ChildProcess:
    """Return the demo shop. It hands out any demo identity, so it binds loopback whatever HOST says."""
    script = settings.BASE_DIR / "examples" / "shop" / "manage.py"
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    environment = {
        **inherited,
        "SHOP_PORT": str(plan.shop_port),
        "SHOP_DATA_DIR": str(plan.data_dir / "shop"),
        "SHOP_PLATFORM_URL": plan.base_url,
        "SHOP_CHANNEL_KEY": channel,
        "SHOP_IDENTITY_SECRET": identity_secret,
        "SHOP_WEBHOOK_SECRET": webhook_secret,
        "PYTHONUNBUFFERED": "1",
    }
    return ChildProcess("shop", [sys.executable, str(script), "serve"], logs / "shop.log", environment, script.parent)
