"""Measure the desk: the time until an agent sees a customer's message, and the queue with 10,000 open tickets.

    python -m bench.desk [--messages 200] [--open 10000]

It starts a temporary instance. The goal for both is 300 ms at the 95th percentile.
"""

import argparse
import asyncio
import json
import os
import time
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from bench.figures import percentile, table
from bench.instance import Instance, Web, temporary_folder, throw_away_instance

GOAL_MS: Final = 300
LISTINGS: Final = 60
BATCH: Final = 500
PAUSE_SECONDS: Final = 0.05
WARM_UP: Final = 10
PACE: Final = 15


@dataclass(frozen=True)
class Shift:
    """The benchmark's data: an agent's login, a claimed conversation and its customer's secret."""

    cookie: str
    conversation: str
    visitor: str


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200)
    parser.add_argument("--open", type=int, default=10_000, dest="open_tickets")
    chosen = parser.parse_args()
    # No model is called, since a person handles the measured conversation.
    with temporary_folder() as folder, throw_away_instance(folder, "http://127.0.0.1:9") as instance:
        shift = _prepare(chosen.open_tickets)
        with instance.web() as web:
            rows = asyncio.run(_measured(instance, web, shift, chosen.messages))
    print(table([{**row, "goal_ms": GOAL_MS} for row in rows]))  # noqa: T201  # the result


def _prepare(open_tickets: int) -> Shift:
    """Fill the database through the product's own models and services, in this process."""
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client

    from supportbot.accounts.customers import new_visitor
    from supportbot.accounts.models import Channel, Membership, User, Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.accounts.team_members import add_member
    from supportbot.chat.services import start_conversation
    from supportbot.handoff.tickets import services

    workspace = Workspace.objects.get()
    agent = User.objects.create_user("bench", first_name="Bench")
    add_member(workspace, agent, Membership.Role.AGENT)
    with workspace_scope(workspace.pk):
        _copy_files(open_tickets)
        channel = Channel.objects.get()
        visitor = new_visitor(channel, locale="en")
        conversation = start_conversation(visitor.customer.pk, channel_id=channel.pk)
        ticket = services.request(conversation.pk, reason="customer_asked", by="customer")
        services.claim(ticket.pk, agent=agent)
    client = Client()
    client.force_login(agent)
    cookie = f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
    return Shift(cookie, str(conversation.pk), visitor.secret)


def _copy_files(count: int) -> None:
    """Write waiting tickets, each with a customer, a conversation and three messages."""
    from supportbot.accounts.models import Customer
    from supportbot.chat.models import Conversation, Message
    from supportbot.handoff.models import Ticket

    for start in range(0, count, BATCH):
        numbers = range(start, min(start + BATCH, count))
        customers = Customer.objects.bulk_create([Customer(external_id=f"c{n}", name=f"Customer {n}") for n in numbers])
        made = [Conversation(customer=customer, mode="waiting", last_seq=3) for customer in customers]
        conversations = Conversation.objects.bulk_create(made)
        Message.objects.bulk_create(
            Message(conversation=one, seq=seq, source="customer", text=f"Where is parcel {seq} of mine?")
            for one in conversations
            for seq in (1, 2, 3)
        )
        Ticket.objects.bulk_create(
            Ticket(conversation=one, reason="no_answer", requested_by="assistant", language="en", priority=n % 3)
            for n, one in enumerate(conversations)
        )


async def _measured(instance: Instance, web: Web, shift: Shift, messages: int) -> list[dict[str, Any]]:
    headers = {"Cookie": shift.cookie, "Origin": web.origin}
    async with aiohttp.ClientSession(headers=headers) as agent, aiohttp.ClientSession() as customer:
        listed = [await _listing(agent, f"{web.origin}/desk/?show=waiting") for _ in range(LISTINGS)]
        seen = await _messages(instance, agent, customer, web, shift, messages + WARM_UP)
    return [_row("message on the desk", seen[WARM_UP:]), _row("queue listed", listed[WARM_UP:])]


def _row(what: str, values: list[float]) -> dict[str, Any]:
    return {"what": what, "n": len(values), "p50_ms": percentile(values, 50), "p95_ms": percentile(values, 95)}


async def _listing(agent: aiohttp.ClientSession, address: str) -> float:
    began = time.perf_counter()
    async with agent.get(address) as answer:
        page = await answer.text()
    assert answer.status == 200 and "Customer " in page, answer.status
    return (time.perf_counter() - began) * 1000


async def _messages(
    instance: Instance,
    agent: aiohttp.ClientSession,
    customer: aiohttp.ClientSession,
    web: Web,
    shift: Shift,
    count: int,
) -> list[float]:
    """Return how long each message takes from the customer's request to the agent's socket."""
    says = f"{web.origin}/api/v1/conversations/{shift.conversation}/messages"
    took = []
    async with agent.ws_connect(f"{web.origin}/ws/v1/desk/") as desk:
        await desk.send_json({"type": "hello"})
        await desk.send_json({"type": "subscribe", "conversation": shift.conversation})
        await _until(desk, "head", "")
        for number in range(count):
            if number % PACE == 0:
                instance.forget_counts()  # this customer writes more messages than the limit per minute
            text, began = f"message {number}", time.perf_counter()
            sending = asyncio.create_task(_say(customer, says, shift.visitor, text))
            await _until(desk, "event", text)
            took.append((time.perf_counter() - began) * 1000)
            await sending
            await asyncio.sleep(PAUSE_SECONDS)
    return took


async def _say(customer: aiohttp.ClientSession, address: str, visitor: str, text: str) -> None:
    body = {"client_id": text.replace(" ", "-"), "text": text}
    async with customer.post(address, json=body, headers={"Authorization": f"Bearer {visitor}"}) as answer:
        assert answer.status == 201, (answer.status, await answer.text())


async def _until(desk: aiohttp.ClientWebSocketResponse, kind: str, text: str) -> None:
    async with asyncio.timeout(30):
        while True:
            frame = json.loads(await desk.receive_str())
            if frame["type"] == kind and (not text or frame["payload"].get("text") == text):
                return


if __name__ == "__main__":
    os.environ.setdefault("SUPPORTBOT_LOG_LEVEL", "ERROR")
    main()
