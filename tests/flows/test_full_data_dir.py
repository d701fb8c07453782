"""The disk of DATA_DIR fills up while PostgreSQL and Valkey have space on theirs: chats go on, every process keeps
running or starts again, and mail as files waits until there is space.
"""

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from supportbot.embedded.product_processes import ChildProcess, wait_for_page
from tests.flows.people import Visitor, ask, call
from tests.flows.stack import Stack, web
from tests.patience import PATIENCE_SECONDS
from tests.ports import reserved_port

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to mount a small disk"),
]
QUESTION = "How long do I have to return something?"
REPLY = {"client_id": "reply-1", "text": "Your parcel was found in Leipzig."}


class Disk:
    """A small disk, mounted on a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filling = folder / "filling"

    def fill(self) -> None:
        with self._filling.open("wb", buffering=0) as file:
            for size in (2**16, 1):
                while True:
                    try:
                        file.write(b"x" * size)
                    except OSError:  # no space for this much
                        break

    def free(self) -> None:
        self._filling.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m,mode=700", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.decode()}")
    yield Disk(tmp_path)
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@contextmanager
def background(stack: Stack, data: str) -> Iterator[dict[str, tuple[ChildProcess, str]]]:
    """Run worker and beat; yield each with the address of its probes."""
    found = {}
    for name in ("worker", "beat"):
        port = reserved_port()
        child = stack.child(name, DATA_DIR=data, **{f"{name.upper()}_PROBE_PORT": str(port)})
        found[name] = (child, f"http://127.0.0.1:{port}")
    try:
        for child, address in found.values():
            child.start()
            wait_for_page(f"{address}/livez", child)
        yield found
    finally:
        for child, _ in found.values():
            child.stop()


async def test_a_full_data_directory_stops_nothing(stack: Stack, disk: Disk) -> None:
    data, mailbox, counters = str(disk.folder), disk.folder / "mail", disk.folder / "metrics"
    counters.mkdir()  # as for several web processes
    with (
        background(stack, data) as parts,
        web(stack, DATA_DIR=data, PROMETHEUS_MULTIPROC_DIR=str(counters)) as made,
    ):
        disk.fill()
        visitor = Visitor(stack, made.address)
        async with visitor.chat(last_seq=0) as socket:
            assert (await ask(socket, QUESTION))["citations"]
        await leave_an_address(stack, visitor)
        for page in ("/readyz", "/metrics"):
            assert (await call(made.address, "GET", page))[0] == 200
        for child, address in parts.values():
            assert child.is_alive
            child.stop()
            child.start()
            wait_for_page(f"{address}/readyz", child)
        assert not has_arrived(mailbox)

        disk.free()
        with psycopg.connect(stack.postgres.conninfo(), autocommit=True) as connection:
            # Otherwise, the next attempt comes two minutes after the first one.
            connection.execute("UPDATE handoff_outgoingmail SET due_at = now()")
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not has_arrived(mailbox):  # noqa: ASYNC110  # about another process, which sets no event
                await asyncio.sleep(0.5)
        async with Visitor(stack, made.address).chat(last_seq=0) as socket:
            assert (await ask(socket, QUESTION))["citations"]
        beat, _ = parts["beat"]
        beat.stop()
        assert list((disk.folder / "beat").glob("schedule*")), "stored, although it started without a file"


def has_arrived(mailbox: Path) -> bool:
    return any(REPLY["text"] in letter.read_text() for letter in mailbox.glob("*"))


async def leave_an_address(stack: Stack, visitor: Visitor) -> None:
    """Ask for a person while no agent is available, and get the reply by mail."""
    with psycopg.connect(stack.postgres.conninfo(), autocommit=True) as connection:
        connection.execute("DELETE FROM handoff_presence")
    async with visitor.chat() as socket:
        await socket.say("request_human")
        ticket = (await socket.until("handoff.requested"))["payload"]["ticket"]
        await socket.until("message")  # it asks for an address
    contact = f"/api/v1/tickets/{ticket}/contact"
    email = {"email": "alice@example.com"}
    status, _ = await call(visitor.address, "POST", contact, email, Authorization=f"Bearer {visitor.secret}")
    assert status == 200
    await visitor.agent.does("POST", f"tickets/{ticket}/claim", {})
    await visitor.agent.does("POST", f"conversations/{visitor.conversation}/messages", REPLY)
