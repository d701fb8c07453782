"""Web process and worker reach PostgreSQL through a pooler in session mode, which is restarted under an open chat."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from supportbot.embedded.product_processes import wait_for_page
from tests.embedded.instance import open_to_postgres
from tests.flows.customers import Customer, card_for
from tests.flows.people import answer_of, call
from tests.flows.stack import STOREFRONT, Stack, web
from tests.patience import PATIENCE_SECONDS
from tests.pooler import Pooler, needs_pgbouncer
from tests.widget.page import Socket

pytestmark = [pytest.mark.long, needs_pgbouncer]
OUTCOMES = ("action.succeeded", "action.awaiting_approval")
QUESTION = {"client_id": "after", "text": "How long do I have to return something?"}


@pytest.fixture
def pooler(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooler]:
    """With the role of the application and PgBouncer's own limits."""
    parts = urlsplit(stack.postgres.application_url())
    server = {"PORT": parts.port, "NAME": parts.path[1:], "USER": parts.username, "PASSWORD": parts.password}
    made = Pooler(open_to_postgres(tmp_path_factory.mktemp("pooler")), server, mode="session")
    made.start()
    yield made
    made.stop()


async def test_an_action_and_an_answer_through_a_pooler_that_is_restarted(stack: Stack, pooler: Pooler) -> None:
    shop, worker = stack.shop(), stack.child("worker", DATABASE_URL=pooler.address)
    shop.start()
    worker.start()
    try:
        wait_for_page(f"{STOREFRONT}/api/customers", shop)
        with web(stack, DATABASE_URL=pooler.address) as made:
            assert (await call(STOREFRONT, "POST", "/api/reset", {}))[0] == 200
            customer = Customer(stack, made.address)
            async with customer.chat(last_seq=0) as socket:
                card = await card_for(socket, "I would like a refund for order WF-20404, it arrived damaged")
                await socket.say("confirm", request=card["request"], digest=card["digest"])
                # It waits for approval if other flows have used up the customer's limit of the day.
                if await settled(socket) == "action.succeeded":
                    await answer_of(socket)
                pooler.stop()
                pooler.start()
                while await reply_to(socket, QUESTION) == "error":
                    pass
                assert (await answer_of(socket))["payload"]["citations"]
    finally:
        worker.stop()
        shop.stop()


async def settled(socket: Socket) -> str:
    """Return the event of the request once it is carried out, or waits for approval."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (event := (await socket.next()).get("event")) not in OUTCOMES:
            pass
    return str(event)


async def reply_to(socket: Socket, message: dict[str, str]) -> str:
    """Send a message; return whether the server acknowledges or refuses it."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await socket.say("message", **message)
        while (kind := (await socket.next())["type"]) not in ("ack", "error"):
            pass
    return str(kind)
