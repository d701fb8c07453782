"""Finds free ports and checks whether a port is in use."""

import socket
from functools import lru_cache
from ipaddress import ip_address
from threading import Thread

LOOPBACK = "127.0.0.1"
RESOLVE_SECONDS = 3.0


def free_port() -> int:
    """Return a port on the loopback address that is free right now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def is_taken(port: int, *, host: str = LOOPBACK) -> bool:
    """Return whether a server could not bind to the port, usually because the port is in use."""
    address = address_of(host)
    if address is None:
        return True
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        # Servers set this, too. Without it, a port with old connections in TIME_WAIT would look as if it were in use.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


@lru_cache(maxsize=8)
def address_of(host: str) -> str | None:
    """Return a host's numeric address, or None if its name does not resolve within three seconds.

    The result is cached.
    """
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    found: list[str] = []

    def resolve() -> None:
        try:
            found.append(socket.gethostbyname(host))
        except (OSError, UnicodeError):  # UnicodeError for a label that is empty or too long
            return

    # The system resolver has no time-out, and a thread that is still waiting for it must not keep the process alive.
    resolving = Thread(target=resolve, daemon=True)
    resolving.start()
    resolving.join(RESOLVE_SECONDS)
    return found[0] if found else None
