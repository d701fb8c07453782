"""The parts of an installation that `manage.py serve`, `work` and `beat` run separately.

Under `make run`, they are children of the supervisor. Under a process manager or in containers, each of them runs
alone.
"""

import asyncio
import random
import socket
import sys
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import Final

import uvicorn
from django.conf import settings
from django.utils.translation import gettext

from supportbot.celery import app
from supportbot.embedded.free_ports import address_of, is_taken
from supportbot.embedded.metrics_files import SharedCounters
from supportbot.embedded.open_files import raise_limit
from supportbot.embedded.product_processes import ChildProcess, counting_together, product_environment, web_command
from supportbot.embedded.setting_checks import require_host
from supportbot.embedded.supervisor import Supervisor, stop_signals
from supportbot.errors import is_out_of_space
from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import Plan

WORKER_THREADS = 8
# The server closes with 1009 above this size; above 16 KiB, the application sends an error frame.
SOCKET_FRAME_BYTES = 262_144
IN_MEMORY: Final = "/dev/shm"  # the folder in it has a random name
WEB_GRACE_SECONDS = 12  # the web server closes open connections before its process is killed
BACKLOG = 2048
BETWEEN_SECONDS: Final = 0.05  # the pause between closing two sockets
SPREAD_SECONDS: Final = 2.0  # the maximum time for closing all sockets; running answers get ten seconds afterwards


def serve_here(plan: Plan, application: str, *, lifespan: str, is_shared: bool) -> None:
    """Serve pages and sockets in this process until a stop signal. Raises StartRefused."""
    require_host(plan)
    raise_limit()
    listener = _listener(plan, is_shared=is_shared)
    # The header `Server` is useless. Proxy headers are ignored here, because NUM_PROXIES says how many proxies to
    # trust.
    quiet = {"access_log": False, "log_level": "warning", "proxy_headers": False, "server_header": False}
    config = uvicorn.Config(
        application,
        host=plan.host,
        port=plan.port,
        lifespan=lifespan,  # type: ignore[arg-type]  # "on" or "off", as the command allows
        ws="auto",
        ws_max_size=SOCKET_FRAME_BYTES,
        # Frames are small, so compression would double an idle socket's memory and cost time for each frame.
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=WEB_GRACE_SECONDS,
        log_config=None,
        **quiet,  # type: ignore[arg-type]
    )
    server = WebServer(config)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:  # uvicorn raises the signal again once it has stopped
        return
    finally:
        listener.close()
    if not server.started:
        sys.exit(1)


def serve_with_several(plan: Plan, application: str, *, lifespan: str) -> None:
    """Serve with `plan.web_processes` children that share the port, and restart any that die."""
    require_host(plan)
    if is_taken(plan.port, host=plan.host):
        raise _port_in_use(plan)
    command = web_command(plan, application, lifespan=lifespan)
    names = [f"web-{number}" for number in range(1, plan.web_processes + 1)]
    with stop_signals(), _folder_of_counters() as folder:
        environment = product_environment(plan) | counting_together(Path(folder), plan)
        children = [ChildProcess(name, command, None, environment, settings.BASE_DIR) for name in names]
        supervisor = Supervisor(on_change=SharedCounters(Path(folder)).forget_dead, on_poll=lambda: None)
        try:
            supervisor.start(children)
            supervisor.keep_alive()
        except KeyboardInterrupt:
            return
        finally:
            supervisor.stop()


def _folder_of_counters() -> "TemporaryDirectory[str]":
    prefix = "supportbot-metrics-"
    try:
        return TemporaryDirectory(prefix=prefix)
    except OSError:  # no temporary folder has space; chats continue even on a full disk
        return TemporaryDirectory(prefix=prefix, dir=IN_MEMORY)


def work(queues: str) -> None:
    """Carry out background tasks from these queues (comma-separated; "" means all) until a stop signal.

    Raises StartRefused for an unknown queue. Otherwise, the worker would wait there forever, and the intended queue
    would have no worker.
    """
    known = _all_queues()
    chosen = [name.strip() for name in queues.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in known]:
        raise StartRefused(
            gettext("There is no queue {name}. Choose from {choices}.").format(
                name=unknown[0], choices=", ".join(known)
            )
        )
    # Workers have nothing to tell each other, and Celery logs a traceback from this step when the broker goes away.
    threads = ["-P", "threads", "-c", str(WORKER_THREADS), "--without-gossip"]
    app.worker_main([*_quietly(), "worker", *threads, "-Q", ",".join(chosen or known), "-l", "WARNING"])


def beat(schedule: Path) -> None:
    """Publish the ticks of CELERY_BEAT_SCHEDULE until a stop signal. The file `schedule` records when each was last
    published. Raises StartRefused.
    """
    try:
        schedule.parent.mkdir(parents=True, exist_ok=True)
        if schedule.exists():
            schedule.open("r+b").close()
        else:  # Celery may add an ending to the name, so this tests only the folder
            TemporaryFile(dir=schedule.parent).close()
    except OSError as error:
        if not is_out_of_space(error):  # on a full disk, the scheduler keeps its times in memory
            raise StartRefused(
                gettext("{path} cannot be written ({error}). Choose another file for --schedule.").format(
                    path=schedule, error=error.strerror
                )
            ) from error
    app.start([*_quietly(), "beat", "-s", str(schedule), "--pidfile=", "-l", "WARNING"])


def _quietly() -> list[str]:
    """Return the option that makes Celery leave out its banner, if the log is JSON."""
    return ["--quiet"] if settings.LOG_FORMAT == "json" else []


def _all_queues() -> list[str]:
    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    return sorted({settings.CELERY_TASK_DEFAULT_QUEUE, *routed})


def _listener(plan: Plan, *, is_shared: bool) -> socket.socket:
    """Return a listening socket. If several sockets share a port, Linux spreads new connections over them."""
    address = address_of(plan.host) or plan.host
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if is_shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((address, plan.port))
        listener.set_inheritable(False)
    except (OSError, OverflowError) as error:
        listener.close()
        raise _port_in_use(plan) from error
    return listener


def _port_in_use(plan: Plan) -> StartRefused:
    return StartRefused(
        gettext("Port {port} on {host} is in use or not allowed. Choose another one{name}.").format(
            port=plan.port, host=plan.host, name=""
        )
    )


class WebServer(uvicorn.Server):
    """Spreads out the closing of sockets.

    By default, uvicorn closes all of them at once, so all chats of a process would reconnect to the other processes at
    the same time.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()  # new connections go to another process
        connections = list(self.server_state.connections)
        random.shuffle(connections)  # mix old and new connections
        pause = min(BETWEEN_SECONDS, SPREAD_SECONDS / max(len(connections), 1))
        for connection in connections:
            if self.force_exit:
                break
            if connection in self.server_state.connections:  # it may have ended already
                connection.shutdown()
                await asyncio.sleep(pause)
        await super().shutdown(sockets)
