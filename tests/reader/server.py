"""Fork a reader for each message on standard input, which is a socket.

A message names the reader's kind and carries the descriptors of a file and of its result; the answer is the reader's
exit code.
"""

import io
import logging
import os
import socket
import sys
from importlib import import_module
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from kb.importing.confined import child


def load() -> None:
    for module, _, packages in child.READERS.values():
        import_module(f"kb.importing.confined.{module}")
        for package in packages:
            child._load_modules(package)
    child._load_modules = lambda package: None


def serve(line: socket.socket) -> None:
    while True:
        kind, streams, _, _ = socket.recv_fds(line, 64, 2)
        if not kind:
            return
        reader = os.fork()
        if reader == 0:
            read(kind.decode(), streams)
        for stream in streams:
            os.close(stream)
        line.sendall(b"%d" % os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]))


def read(kind: str, streams: list[int]) -> None:
    """Read the file, and end this process."""
    try:
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        child.main(kind, io.BufferedReader(io.FileIO(0)), io.BufferedWriter(io.FileIO(1, "w")))
        os._exit(0)
    finally:
        os._exit(1)


if __name__ == "__main__":
    logging.disable()
    load()
    serve(socket.socket(fileno=os.dup(0)))
