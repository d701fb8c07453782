"""What happens to the turn of a customer's message: it is claimed with the message, for a slot of this process."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from pytest_django.fixtures import Settings

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Customer
from supportbot.accounts.principals import CustomerCaller
from supportbot.assistant import runner as runner_module
from supportbot.assistant.admission import Admission
from supportbot.assistant.runner import Runner
from supportbot.chat import services
from supportbot.chat.services import start_conversation
from supportbot.chat.turns import Claim
from supportbot.widget.session.tickets import Session
from supportbot.widget.socket import handlers
from supportbot.widget.socket.handlers import run_command
from supportbot.widget.socket.protocol import CustomerMessage
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGE = CustomerMessage(client_id="m1", text="Within how many days can I return unused items?")


@pytest.fixture
def sessions(alice: Customer, channel: NewChannel) -> list[Session]:
    """Three conversations of a customer."""
    caller = CustomerCaller(alice.workspace_id, alice.pk, is_verified=True)
    started = [start_conversation(alice.pk).pk for _ in range(3)]
    return [Session(alice.workspace_id, channel.channel.pk, one, "en", caller) for one in started]


class Begun:
    """A record of the turns that begin, in a process that claims none by itself."""

    def __init__(self) -> None:
        self.turns: list[Claim] = []
        self.steps: list[str] = []
        self.event = threading.Event()

    async def carry_out(self, claim: Claim, admission: Admission) -> None:
        self.turns.append(claim)
        self.steps.append("turn")
        self.event.set()
        await asyncio.Event().wait()

    def prefetch(self, *_: Any) -> None:
        self.steps.append("vectors")


@pytest_asyncio.fixture
async def begun(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Begun]:
    noted, running, has_looked = Begun(), Runner(), threading.Event()
    monkeypatch.setattr(runner_module, "claim_turn", lambda *_, **__: has_looked.set())
    monkeypatch.setattr(runner_module, "POLL_SECONDS", 600.0)
    monkeypatch.setattr(runner_module, "carry_out", noted.carry_out)
    monkeypatch.setattr(runner_module, "DRAIN_SECONDS", 0.01)
    monkeypatch.setattr(handlers, "runner", running)
    monkeypatch.setattr(handlers, "prefetch_vectors", noted.prefetch)
    running.start()
    await asyncio.to_thread(has_looked.wait, PATIENCE_SECONDS)
    await asyncio.gather(*running._claiming)  # until then, this occupies a slot
    yield noted
    await running.stop()


async def test_a_turn_is_claimed_with_its_message_and_begins_after_the_vectors(
    sessions: list[Session], begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The thread is slow between the commit and its end, so a turn that did not wait for it would begin first.
    monkeypatch.setattr(services, "log_event", lambda *_, **__: begun.event.wait(0.3))
    ack = await run_command(MESSAGE, sessions[0])
    assert ack is not None
    await asyncio.to_thread(begun.event.wait, PATIENCE_SECONDS)
    assert begun.steps == ["vectors", "turn"]
    [claim] = begun.turns
    assert (claim.conversation_id, claim.through_seq) == (sessions[0].conversation_id, ack.seq)


async def test_a_turn_begins_even_if_the_socket_is_closed_meanwhile(
    sessions: list[Session], begun: Begun, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_storing, may_commit = threading.Event(), threading.Event()

    def wait(*_: Any, **__: Any) -> None:
        is_storing.set()
        assert may_commit.wait(PATIENCE_SECONDS)

    monkeypatch.setattr(services, "on_customer_message", lambda: wait)
    handling = asyncio.create_task(run_command(MESSAGE, sessions[0]))
    await asyncio.to_thread(is_storing.wait, PATIENCE_SECONDS)
    handling.cancel()
    await asyncio.wait([handling])
    may_commit.set()
    assert await asyncio.to_thread(begun.event.wait, PATIENCE_SECONDS)


async def test_a_burst_claims_no_more_turns_than_the_limit(
    sessions: list[Session], begun: Begun, settings: Settings
) -> None:
    settings.TURNS_PER_PROCESS = 2
    acks = await asyncio.gather(*(run_command(MESSAGE, session) for session in sessions))
    assert all(acks)
    await asyncio.sleep(0)
    assert len(begun.turns) == 2
