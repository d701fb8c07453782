"""Ports for the servers that tests start."""

import socket

LOOPBACK = "127.0.0.1"
_reserved: list[socket.socket] = []


def reserved_port() -> int:
    """Return a loopback port that no other process is given by chance before the test's own server opens it.

    A port that was only free when it was chosen may soon be the port of another test's server. This one stays bound,
    without listening, until this process ends: the system does not give it to anyone who asks for any free port. A
    server that asks for this very port with SO_REUSEADDR, as all of them do, gets it, even after a restart. Until it
    does, connections are refused.
    """
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind((LOOPBACK, 0))
    _reserved.append(holder)
    port: int = holder.getsockname()[1]
    return port
