"""`manage.py serve`: prepare the database, open the port on loopback, and serve until stopped."""

import os
import socket
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from shop.connection import DroppableConnection
from shop.environment import environment
from shop.faults import injector
from shop.seed import seed_if_empty

# Never another address, since the token endpoint signs any demo identity.
LOOPBACK = "127.0.0.1"
BACKLOG = 128


class Command(BaseCommand):
    help = "Serve the demo shop on 127.0.0.1 until SIGTERM or Ctrl-C. Settings come from SHOP_* environment variables."
    requires_system_checks: list[str] = []  # they take a third of the start-up time and find nothing here

    def handle(self, *args: Any, **options: Any) -> None:
        port, data_dir = checked_environment()
        # Open the port first, so that a second start on the same address ends before it touches the data.
        with open_port(port) as listener:
            prepare_data(data_dir)
            # From here on, callers wait instead of being refused, as the line below promises.
            listener.listen(BACKLOG)
            self.stdout.write(f"The demo shop is running at http://{LOOPBACK}:{port}/")
            self.stdout.flush()
            config = uvicorn.Config(
                get_asgi_application(),
                http=DroppableConnection,
                ws="none",
                lifespan="off",
                log_level="warning",
                timeout_graceful_shutdown=5,
                server_header=False,
                proxy_headers=False,
            )
            Server(config).run(sockets=[listener])


class Server(uvicorn.Server):
    """A server that exits with code 0 when stopped; uvicorn would raise the signal again, which looks like a crash."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        injector.stop()  # delayed calls are interrupted
        self.force_exit = self.should_exit
        self.should_exit = True


def checked_environment() -> tuple[int, Path]:
    """Return port and folder; raises CommandError if any variable is missing or wrong."""
    try:
        return environment().port, environment().data_dir
    except ImproperlyConfigured as wrong:
        raise CommandError(f"The demo shop cannot start: {wrong}") from wrong


def open_port(port: int) -> socket.socket:
    """Return a socket on the port; raises CommandError if the port is taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
    except OSError as taken:
        listener.close()
        raise CommandError(f"Port {port} is not free ({taken.strerror}). Set SHOP_PORT to a different one.") from taken
    return listener


def prepare_data(data_dir: Path) -> None:
    """Migrate the database, and fill it if it is new; raises CommandError if it cannot be used."""
    os.umask(0o077)  # only the owner of the process may read names and addresses, even invented ones
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        call_command("migrate", verbosity=0)
        seed_if_empty()
    except (OSError, DatabaseError) as wrong:
        message = f"The shop's data cannot be stored in {data_dir} ({wrong}). Set SHOP_DATA_DIR to a different folder."
        raise CommandError(message) from wrong
    finally:
        connection.close()
