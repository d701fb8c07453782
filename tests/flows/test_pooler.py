"""Web process and worker reach PostgreSQL through a pooler in session mode, which is restarted under an open chat."""

import asyncio
import re
from collections.abc import Iterator
from http.cookiejar import CookieJar
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import HTTPCookieProcessor, ProxyHandler, build_opener

import celery
import kombu
import psycopg
import pytest

from supportbot.embedded.product_processes import wait_for_page
from tests.embedded.instance import open_to_postgres
from tests.flows.customers import Customer, card_for
from tests.flows.people import Visitor, answer_of, call, say
from tests.flows.stack import STOREFRONT, Stack, web
from tests.handoff.desk.desksocket import open_desk
from tests.patience import PATIENCE_SECONDS
from tests.pooler import Pooler, needs_pgbouncer
from tests.widget.page import Socket

pytestmark = [pytest.mark.long, needs_pgbouncer]
OUTCOMES = ("action.succeeded", "action.awaiting_approval")
QUESTION = {"client_id": "after", "text": "How long do I have to return something?"}


@pytest.fixture
def pooler(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pooler]:
    """A pooler that connects with the application's role and has PgBouncer's default limits."""
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
                # It waits for approval if other flows have used up the customer's daily limit.
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
    """Send a message; return the type of the server's reply: `ack` or `error`."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        await socket.say("message", **message)
        while (kind := (await socket.next())["type"]) not in ("ack", "error"):
            pass
    return str(kind)


class Browser:
    """The supervisor's browser, logged in."""

    def __init__(self, stack: Stack, address: str) -> None:
        self._jar = CookieJar()
        self._open = build_opener(ProxyHandler({}), HTTPCookieProcessor(self._jar)).open
        self._address = address
        [person] = [one for one in stack.demo["users"] if one["role"] == "supervisor"]
        form = {"username": person["username"], "password": person["password"], "next": "/desk/"}
        [token] = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', self.page("/admin/login/"))[:1]
        sent = urlencode({**form, "csrfmiddlewaretoken": token}).encode()
        self._open(f"{address}/admin/login/", sent, timeout=PATIENCE_SECONDS).close()

    def page(self, path: str) -> str:
        with self._open(self._address + path, timeout=PATIENCE_SECONDS) as answer:
            return str(answer.read().decode())

    @property
    def cookies(self) -> str:
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)


async def test_desk_search_and_retention_through_a_pooler(stack: Stack, pooler: Pooler) -> None:
    worker = stack.child("worker", DATABASE_URL=pooler.address)
    worker.start()
    try:
        with web(stack, DATABASE_URL=pooler.address) as made:
            visitor = Visitor(stack, made.address)
            browser = await asyncio.to_thread(Browser, stack, made.address)
            ticket = await talked_at_the_desk(visitor, browser)
            for path, link in (("/desk/?q={}", ticket), ("/admin/chat/conversation/?q={}", visitor.conversation)):
                found, other = [
                    await asyncio.to_thread(browser.page, path.format(quote(words)))
                    for words in ("quagga parcel", "quagga wombat")
                ]
                assert link in found and link not in other, path
            await erased_at_night(stack, visitor)
    finally:
        worker.stop()


async def talked_at_the_desk(visitor: Visitor, browser: Browser) -> str:
    """Let an agent claim the conversation, reply over the desk's socket, and end it; return the ticket's id."""
    agent, words = visitor.agent, "Hello from the desk."
    async with (
        visitor.chat(last_seq=0) as socket,
        open_desk(visitor.address, browser.cookies, origin=visitor.address) as desk,
    ):
        await desk.send_frame("hello")
        await desk.until("queue")
        await say(socket, "How heavy is a quagga parcel?")
        await answer_of(socket)
        await socket.say("request_human", reason="A lost parcel")
        ticket = (await socket.until("handoff.requested"))["payload"]["ticket"]
        await agent.does("POST", f"tickets/{ticket}/claim", {})
        await desk.subscribe(visitor.conversation)
        await desk.send_frame("reply", conversation=visitor.conversation, client_id="desk-1", text=words)
        while (await socket.until("message"))["payload"]["text"] != words:
            pass
        await agent.does("POST", f"tickets/{ticket}/resolve", {})
    return str(ticket)


async def erased_at_night(stack: Stack, visitor: Visitor) -> None:
    """Let the conversation grow old, and the worker do what it does every night."""
    with psycopg.connect(stack.postgres.conninfo(), autocommit=True) as connection:
        connection.execute("UPDATE accounts_workspace SET keep_conversations_days = 30")
        connection.execute(
            "UPDATE chat_conversation SET last_event_at = now() - interval '40 days' WHERE id = %s",
            [visitor.conversation],
        )
        # Celery prefers the broker from the environment, which is that of the other tests.
        with celery.Celery() as app, kombu.Connection(f"{stack.valkey.url()}/0") as broker:
            app.send_task("supportbot.chat.tasks.retain", queue="default", connection=broker)

        def is_there() -> bool:
            rows = connection.execute("SELECT FROM chat_conversation WHERE id = %s", [visitor.conversation])
            return rows.fetchone() is not None

        async with asyncio.timeout(PATIENCE_SECONDS):
            while is_there():  # noqa: ASYNC110  # about another process, which sets no event
                await asyncio.sleep(0.5)
        connection.execute("UPDATE accounts_workspace SET keep_conversations_days = NULL")
