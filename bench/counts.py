"""Database statements and channel-layer messages of one turn, counted in a separate run."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any, Final

import aiohttp

from bench.chats import ProductChat, turns_of
from bench.instance import Instance, Web
from bench.measuring import SETTLE_SECONDS
from bench.turns import Turn

TURNS: Final = 4


def count_turn(instance: Instance, questions: Sequence[str]) -> list[dict[str, Any]]:
    """Return, by service, how often a turn calls it and how many statements it runs, without BEGIN and COMMIT."""
    with instance.web(application="bench.counting:application", KB_RETRIEVAL="1") as web:
        instance.forget_counts()
        found, turns = asyncio.run(_play(web, instance.channel, questions))
    rows: list[dict[str, Any]] = [
        {"service": name, "calls": counts["calls"] / TURNS, "statements": counts["statements"] / TURNS}
        for name, counts in found.items()
    ]
    rows.append({"service": "all", "calls": "", "statements": sum(row["statements"] for row in rows)})
    rows.append({"service": "frames to the reader", "calls": sum(turn.frames for turn in turns) / TURNS,
                 "statements": ""})  # fmt: skip
    return rows


async def _play(web: Web, channel: str, questions: Sequence[str]) -> tuple[dict[str, dict[str, int]], list[Turn]]:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        chat = await stack.enter_async_context(ProductChat.open(client, web, channel))
        await turns_of(chat, list(questions[:1]))
        await _counts_so_far(client, web)
        turns = await turns_of(chat, list(questions[1 : TURNS + 1]))
        return await _counts_so_far(client, web), turns


async def _counts_so_far(client: aiohttp.ClientSession, web: Web) -> dict[str, dict[str, int]]:
    await asyncio.sleep(SETTLE_SECONDS)
    async with client.get(f"{web.origin}/bench/counts") as answer:
        found: dict[str, dict[str, int]] = json.loads(await answer.read())
        return found
