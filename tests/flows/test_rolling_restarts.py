"""Two web processes are restarted in turn, twice, while customers chat: nothing is lost, doubled or failed."""

import asyncio
import uuid
from collections.abc import Iterator
from typing import Final

import pytest
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests.flows.people import ENDS, Visitor, assert_whole, finals
from tests.flows.stack import Stack, Web, web

pytestmark = pytest.mark.long
CUSTOMERS: Final = 40
ROUNDS: Final = 2
QUESTION: Final = "How long do I have to return something?"
PAUSE_SECONDS: Final = 4.0  # between two questions: twenty messages a minute are the limit
BACK_SECONDS: Final = 0.3


@pytest.fixture
def pair(stack: Stack) -> Iterator[tuple[Web, Web]]:
    with web(stack) as one, web(stack) as other:
        yield one, other


async def test_nothing_is_lost_while_every_process_is_restarted_twice(stack: Stack, pair: tuple[Web, Web]) -> None:
    is_over, closes = asyncio.Event(), list[int]()
    customers = [Customer(stack, pair, closes) for _ in range(CUSTOMERS)]
    chatting = [asyncio.create_task(customer.chat_until(is_over)) for customer in customers]
    try:
        await asyncio.sleep(PAUSE_SECONDS)
        for one in pair * ROUNDS:
            await asyncio.to_thread(one.child.stop)
            await asyncio.to_thread(one.start)
            await asyncio.sleep(PAUSE_SECONDS)
    finally:
        is_over.set()
    await asyncio.gather(*chatting)
    assert len(closes) >= CUSTOMERS and set(closes) == {1012}
    for customer in customers:
        log = await customer.visitor.log(pair[0].address)
        assert_whole(log)
        assert [event["payload"]["client_id"] for event in log if event["event"] == "message"
                and event["payload"]["source"] == "customer"] == customer.asked  # fmt: skip
        assert len(finals(log)) == len(customer.asked) > ROUNDS
        assert not [event for event in log if event["event"] == "assistant.failed"]


class Customer:
    """A customer who asks repeatedly, reconnects to the other process, and resends unanswered messages."""

    def __init__(self, stack: Stack, pair: tuple[Web, Web], closes: list[int]) -> None:
        self.visitor = Visitor(stack, pair[0].address)
        self._addresses = [one.address for one in pair]
        self._closes = closes
        self._last_seq = 0
        self.asked: list[str] = []
        self._is_waiting = False

    async def chat_until(self, is_over: asyncio.Event) -> None:
        while not is_over.is_set() or self._is_waiting:
            try:
                await self._chat(is_over)
            except ConnectionClosed as closed:
                self._closes.append(closed.rcvd.code if closed.rcvd else 0)
            except (OSError, InvalidHandshake):  # this process is down
                pass
            self._addresses.reverse()
            await asyncio.sleep(BACK_SECONDS)

    async def _chat(self, is_over: asyncio.Event) -> None:
        async with self.visitor.chat(at=self._addresses[0], last_seq=self._last_seq) as socket:
            if self._is_waiting:
                await socket.say("message", client_id=self.asked[-1], text=QUESTION)
            while not is_over.is_set() or self._is_waiting:
                try:
                    frame = await socket.next(PAUSE_SECONDS)
                except TimeoutError:
                    if not self._is_waiting:
                        self.asked.append(uuid.uuid4().hex)
                        self._is_waiting = True
                        await socket.say("message", client_id=self.asked[-1], text=QUESTION)
                    continue
                if frame["type"] == "event":
                    self._last_seq = frame["seq"]
                    self._is_waiting = self._is_waiting and frame["event"] not in ENDS
