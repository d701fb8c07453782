"""Processes are killed and lines are cut while customers have their money paid back: nothing doubled, lost or stuck.

    pytest tests/chaos                        a short storm, part of every run
    pytest tests/chaos -m chaos -s            the long one: 200 blows, about ten minutes
    CHAOS_SEED=7 CHAOS_BLOWS=50 pytest ...    the same blows again, or fewer

The product is the one of `make run`, process by process; the customers speak to it over sockets, as a page does.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable

import pytest

from tests.chaos import books
from tests.chaos.model import ObligingModel
from tests.chaos.shoppers import Shopper
from tests.chaos.storm import Storm
from tests.chaos.town import Town
from tests.flows.house import STOREFRONT
from tests.flows.people import call

Report = Callable[[str, object], None]
SHORT, LONG = 6, 200
SHOPPERS = 5


@pytest.mark.chaos
async def test_a_short_storm(town: Town, model_port: int, seed: int, record_property: Report) -> None:
    await weather(town, model_port, seed, SHORT, record_property)


@pytest.mark.chaos
@pytest.mark.long
async def test_a_long_storm(town: Town, model_port: int, seed: int, record_property: Report) -> None:
    await weather(town, model_port, seed, int(os.environ.get("CHAOS_BLOWS", LONG)), record_property)


async def weather(town: Town, model_port: int, seed: int, blows: int, record_property: Report) -> None:
    """Let customers shop through a storm, and look at every record afterwards."""
    over, shoppers = asyncio.Event(), list[Shopper]()
    storm = Storm(town, seed, pulse=lambda: sum(len(shopper.log) for shopper in shoppers))
    async with ObligingModel(port=model_port):
        shoppers += [await shopper_for(town, subject, order) for subject, order in await town.orders(SHOPPERS)]
        shopping = asyncio.gather(*(shopper.shop_until(over.is_set) for shopper in shoppers))
        try:
            await storm.rage(blows)
            over.set()
            seconds = await books.settled(town)
            async with asyncio.timeout(books.SECONDS_TO_SETTLE):
                await shopping
        except (AssertionError, TimeoutError):
            stories = "\n".join(shopper.story() for shopper in shoppers)
            sys.stdout.write(f"seed {seed}: {storm.story}\n{stories}\n{town.last_line()}\n")
            raise
    after = await books.read(town, seconds)
    told = books.summary(after, shoppers, storm.done, seed)
    record_property("storm", told)
    sys.stdout.write(json.dumps(told) + "\n")
    books.check_money(after)
    books.check_ledger(town, after)
    books.check_logs(after)
    books.check_shoppers(shoppers)
    books.check_audit(town, after)
    assert any(wish.outcome == "action.succeeded" for shopper in shoppers for wish in shopper.wishes)


async def shopper_for(town: Town, subject: str, order: str) -> Shopper:
    _, signed = await call(STOREFRONT, "POST", "/api/token", {"customer": subject})
    return Shopper(town, subject, order, signed["token"])
