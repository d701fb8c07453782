"""Measure how fast pages are after months of use: 200,000 conversations, 2,000,000 events, 50,000 passages.

    python -m bench.grown [--conversations 200000] [--passages 50000] [--rounds 40] [--only search]
        [--ticket-every 10]

It fills an embedded PostgreSQL in a temporary folder (about ten minutes, 3 GB), or the database of `DATABASE_URL`,
whose role must be a superuser. A database that is already filled is only measured. The goal is one second at the 95th
percentile. `cpu_ms` is the processor time of one request, in this process and in PostgreSQL (only in this process for
metrics): read it first on a busy machine.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, Final
from uuid import uuid4

from bench.figures import percentile, table
from bench.filling import Size, fill
from bench.processes import cpu_seconds
from bench.scratch import installation

GOAL_MS: Final = 1_000
_PARAGRAPH: Final = "A parcel to the islands takes {n} days longer, because it travels by ship. Its cost is {n} euros."
PAGES: Final = {
    "overview, 7 days": "/admin/?days=7",
    "overview, 14 days": "/admin/?days=14",
    "overview, 90 days": "/admin/?days=90",
    "conversations": "/admin/chat/conversation/",
    "conversations, a late page": "/admin/chat/conversation/?p={late}",
    "conversations with a withheld answer": "/admin/chat/conversation/?checks=withheld",
    "search a common word": "/admin/chat/conversation/?q=refund",
    "search the commonest word": "/admin/chat/conversation/?q=the",
    "search two words": "/admin/chat/conversation/?q=refund+parcel",
    "search a word and a name": "/admin/chat/conversation/?q=refund+someone1003",
    "search an order number": "/admin/chat/conversation/?q=A-110005",
    "search an address": "/admin/chat/conversation/?q=someone77%40example.com",
    "search nothing found": "/admin/chat/conversation/?q=xylophone",
    "model calls": "/admin/llm/llmcall/",
    "search model calls by model": "/admin/llm/llmcall/?q=benchless",
    "search model calls by conversation": "/admin/llm/llmcall/?q=019ac000-0000-7000-8000-000000000000",
    "results, 90 days by agent": "/admin/results/?days=90&by=agent",
    "improve": "/admin/improve/",
    "improve, unanswered questions": "/admin/improve/?kind=unanswered",
    "requests": "/admin/actions/actionrequest/",
    "search requests": "/admin/actions/actionrequest/?q=A-110005",
    "articles": "/admin/kb/article/",
    "article search": "/admin/kb/article/?q=islands",
    "desk": "/desk/",
    "desk, all tickets": "/desk/?show=all",
    "desk search a common word": "/desk/?q=refund",
    "desk search the commonest word": "/desk/?q=the",
    "desk search two words": "/desk/?q=refund+parcel",
    "desk search an order number": "/desk/?q=A-110005",
    "desk search nothing found": "/desk/?q=xylophone",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=200_000)
    parser.add_argument("--passages", type=int, default=50_000)
    parser.add_argument("--ticket-every", type=int, default=10, help="1: a ticket for every conversation")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--only", default="", help="measure only pages with this text in their name")
    chosen = parser.parse_args()
    with installation():
        print(table(list(_measured(chosen))))  # noqa: T201  # the result


def _measured(chosen: argparse.Namespace) -> Iterator[dict[str, Any]]:
    from supportbot.accounts.models import Workspace
    from supportbot.accounts.scope import workspace_scope
    from supportbot.accounts.workspaces import create_workspace
    from supportbot.insights.stored_daily_sums import roll_up_all, roll_up_today_everywhere

    workspace = Workspace.objects.filter(slug="grown").first()
    if workspace is None:
        workspace = create_workspace("Grown", slug="grown")
        with workspace_scope(workspace.pk):
            took = fill(workspace.pk, Size(chosen.conversations, chosen.passages, chosen.ticket_every), _recipe())
        sys.stderr.write(f"Filled in {took:.0f} s.\n")
    roll_up_all()  # a worker does this every hour
    roll_up_today_everywhere()
    with workspace_scope(workspace.pk):
        for what, step in _steps(workspace):
            if chosen.only in what:
                yield _row(what, step, chosen.rounds)


def _row(what: str, step: Callable[[], None], rounds: int) -> dict[str, Any]:
    step()  # the first request also fills caches
    took, before = [], _cpu_seconds()
    for _ in range(rounds):
        began = time.perf_counter()
        step()
        took.append((time.perf_counter() - began) * 1000)
    cpu = round((_cpu_seconds() - before) * 1000 / rounds)
    return {
        "what": what,
        "cpu_ms": cpu,
        "p50_ms": percentile(took, 50),
        "p95_ms": percentile(took, 95),
        "goal_ms": GOAL_MS,
        "load": round(os.getloadavg()[0], 1),
    }


def _cpu_seconds() -> float:
    """Return the processor time used so far by this process and by its database backend on this machine."""
    from django.db import connection

    connection.ensure_connection()
    return cpu_seconds(os.getpid()) + cpu_seconds(connection.connection.info.backend_pid)


def _steps(workspace: Any) -> Iterator[tuple[str, Callable[[], None]]]:
    from supportbot.chat.models import Conversation

    client = _client(workspace)

    def page(address: str) -> Callable[[], None]:
        def look() -> None:
            answer = client.get(address)
            assert answer.status_code == 200, (address, answer.status_code)

        return look

    late = max(1, Conversation.objects.count() // 200)  # a quarter of the way back, with 50 conversations per page
    yield from ((what, page(address.format(late=late))) for what, address in PAGES.items())
    yield "publish an article of 40 paragraphs", _publish
    yield "store a customer's message", _write
    yield "metrics, the series read from the database", _read_gauges


def _client(workspace: Any) -> Any:
    """Return a test client with an administrator logged in."""
    from django.test import Client

    from supportbot.accounts.models import Membership, User
    from supportbot.accounts.team_members import add_member

    person, is_new = User.objects.get_or_create(username="bench", defaults={"is_staff": True})
    if is_new:
        add_member(workspace, person, Membership.Role.ADMIN)
    client = Client(headers={"host": "localhost"})
    client.force_login(person)
    return client


def _recipe() -> Any:
    from kb.indexing.recipes import active_recipe

    return active_recipe()


def _publish() -> None:
    from kb.services import Change, create_article, publish

    body = "\n\n".join(_PARAGRAPH.format(n=n) for n in range(40))
    publish(create_article(Change(title="The islands", body=body), external_id=f"islands-{uuid4()}").pk)


def _write() -> None:
    from supportbot.accounts.models import Customer
    from supportbot.chat.services import add_customer_message, start_conversation

    conversation = start_conversation(Customer.objects.order_by("id")[:1].get().pk)
    add_customer_message(conversation.pk, text="When does my parcel arrive?", client_id=str(uuid4()))


def _read_gauges() -> None:
    """Read the gauges over a separate connection, as each scrape after a pause does; none may be missing."""
    from supportbot.health.gauges import Gauges

    found = {metric.name: metric for metric in Gauges().collect()}
    assert (found["supportbot_gauges_up"].samples[0].value, found["supportbot_gauges_late"].samples[0].value) == (1, 0)


if __name__ == "__main__":
    main()
