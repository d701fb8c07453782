"""The product's own processes: web, worker, beat and the demo shop."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, build_opener

from django.conf import settings
from django.utils.translation import gettext

from supportbot.embedded.child_processes import spawn, stop, without_a_word
from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import Plan

APPLICATION = "supportbot.asgi:application"
DRAIN_SECONDS = 15.0  # running turns get ten of these
PAGE_SECONDS = 60.0  # the longest wait for a child's first page


@dataclass
class ChildProcess:
    """A process that the supervisor keeps alive."""

    name: str
    command: list[str]
    log: Path | None  # None: it shares this process's output
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
        with nullcontext() if self.log is None else self.log.open("ab") as output:
            self.process = spawn(self.command, output=output, environment=self.environment, folder=self.folder)

    def request_stop(self) -> None:
        if self.process is not None and self.is_alive:
            self.process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        if self.process is not None:
            stop(self.process, (signal.SIGTERM, DRAIN_SECONDS))
            self.process = None


def product_children(plan: Plan, logs: Path) -> list[ChildProcess]:
    """Return the first web process, the worker and beat, without starting them."""
    environment = product_environment(plan)
    parts = {"worker": manage("work"), "beat": manage("beat")}
    return [
        _web_process("web", plan, logs),
        *(
            ChildProcess(name, command, logs / f"{name}.log", environment, folder=settings.BASE_DIR)
            for name, command in parts.items()
        ),
    ]


def more_web_processes(plan: Plan, logs: Path) -> list[ChildProcess]:
    """Return the web processes after the first one, without starting them. All of them share the port."""
    return [_web_process(f"web-{number}", plan, logs) for number in range(2, plan.web_processes + 1)]


def _web_process(name: str, plan: Plan, logs: Path) -> ChildProcess:
    environment = product_environment(plan) | counting_together(counters_of(plan), plan)
    return ChildProcess(name, web_command(plan), logs / f"{name}.log", environment, folder=settings.BASE_DIR)


def counters_of(plan: Plan) -> Path:
    """Return the folder for the counters of web processes that share a port."""
    return plan.data_dir / "metrics"


def counting_together(folder: Path, plan: Plan) -> dict[str, str]:
    """Return the environment variables for counting across several web processes. A single process needs no files."""
    return {"PROMETHEUS_MULTIPROC_DIR": str(folder)} if plan.web_processes > 1 else {}


def web_command(plan: Plan, application: str = APPLICATION, *, lifespan: str = "on") -> list[str]:
    """Return the command that starts a web process. If there are several, they share the port."""
    sharing = ["--share-port"] if plan.web_processes > 1 else []
    return [*manage("serve"), application, "--lifespan", lifespan, "--processes", "1", *sharing]


def manage(name: str) -> list[str]:
    return [sys.executable, str(settings.BASE_DIR / "manage.py"), name]


def product_environment(plan: Plan) -> dict[str, str]:
    """Return the environment of a child process.

    It gets the embedded servers' addresses from `runtime.json`, not from here.
    """
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "supportbot.settings",
        "DATA_DIR": str(plan.data_dir),
        "HOST": plan.host,
        "PORT": str(plan.port),
        "SHOP_PORT": str(plan.shop_port),
        # With more threads, web and worker processes would only wait for each other when both embed at once.
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }


def shop_child(plan: Plan, logs: Path, *, channel: str, identity_secret: str, webhook_secret: str) -> ChildProcess:
    """Return the demo shop. It signs any demo identity, so it always binds to loopback, whatever HOST says."""
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


def wait_for_page(url: str, child: ChildProcess, *, others: Sequence[ChildProcess] = ()) -> None:
    """Wait until `url` responds. Raises StartRefused if that takes more than a minute, or if a child exits, with the
    last line of the child's log.
    """
    deadline = time.monotonic() + PAGE_SECONDS
    while not _page_answers(url):
        for process in (child, *others):
            if not process.is_alive:
                raise StartRefused(_why_not_started(process))
        if time.monotonic() > deadline:
            problem = gettext("{name} does not respond at {address}. See {log}.")
            raise StartRefused(problem.format(name=child.name, address=url, log=child.log))
        time.sleep(0.1)


def _why_not_started(process: ChildProcess) -> str:
    if process.log is None:
        return gettext("{name} did not start. See its output.").format(name=process.name)
    problem = gettext("{name} did not start: {cause} (see {log}).")
    return problem.format(name=process.name, cause=last_line(process.log), log=process.log)


def _page_answers(url: str) -> bool:
    opener = build_opener(ProxyHandler({}))  # never use a proxy, because this is our own machine
    try:
        with opener.open(url, timeout=5):
            return True
    except HTTPError as answer:  # the process is up; /readyz says whether it is healthy
        return answer.code < 500
    except (URLError, HTTPException, OSError):
        return False


@dataclass(frozen=True)
class CommandRunner:
    """Runs management commands, each in its own process. Errors go to the logs."""

    logs: Path
    environment: Mapping[str, str]

    def run(self, name: str, *options: str) -> str:
        """Run the command and return what it printed.

        If it fails, raises StartRefused with the last line of its output.
        """
        answer, log = self.logs / f"{name}.out", self.logs / f"{name}.log"
        command = [*manage(name), *options]
        with answer.open("wb") as output, log.open("wb") as errors:
            process = spawn(command, output=output, errors=errors, environment=self.environment)
            try:
                code = process.wait()
            finally:  # at a stop signal, end the command before the database
                stop(process, (signal.SIGTERM, 5.0))
        text = answer.read_text(encoding="utf-8")
        answer.unlink()  # it may contain an API key, which must not stay in the logs
        if code != 0:
            problem = gettext("`manage.py {name}` failed: {cause} (full log: {log}).")
            raise StartRefused(problem.format(name=name, cause=last_line(log), log=log))
        return text


def last_line(log: Path) -> str:
    """Return the last line of a log, where Python reports the error."""
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1].strip().rstrip(".") if lines else without_a_word(log)
