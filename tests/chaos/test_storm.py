"""Processes are killed and connections cut while customers get refunds: nothing is doubled, lost or stuck.

    pytest tests/chaos -m "long and not chaos"  a short storm, part of `make long-tests`
    pytest tests/chaos -m chaos -s              the long one: 200 faults, about ten minutes
    CHAOS_SEED=7 CHAOS_BLOWS=50 pytest ...      the same faults again, or fewer

The product runs as in `make run`, process by process; the customers speak to it over sockets, as a page does.
"""

import asyncio
import json
import os
import sys
from collections.abc import Callable

import pytest

from tests.chaos import invariants
from tests.chaos.model import ObligingModel
from tests.chaos.shoppers import Shopper
from tests.chaos.storm import Storm
from tests.chaos.system import System
from tests.flows.people import call
from tests.flows.stack import STOREFRONT

Report = Callable[[str, object], None]
SHORT, LONG = 6, 200
SHOPPERS = 5


@pytest.mark.long
async def test_a_short_storm_doubles_and_loses_nothing(
    system: System, model_port: int, seed: int, record_property: Report
) -> None:
    await run_storm(system, model_port, seed, SHORT, record_property)


@pytest.mark.chaos
@pytest.mark.long
async def test_a_long_storm_doubles_and_loses_nothing(
    system: System, model_port: int, seed: int, record_property: Report
) -> None:
    await run_storm(system, model_port, seed, int(os.environ.get("CHAOS_BLOWS", LONG)), record_property)


async def run_storm(system: System, model_port: int, seed: int, blows: int, record_property: Report) -> None:
    """Let customers shop through a storm, and check every record afterwards."""
    over, shoppers = asyncio.Event(), list[Shopper]()
    storm = Storm(system, seed, pulse=lambda: sum(len(shopper.log) for shopper in shoppers))
    async with ObligingModel(port=model_port):
        shoppers += [await shopper_for(system, subject, order) for subject, order in await system.orders(SHOPPERS)]
        shopping = asyncio.gather(*(shopper.shop_until(over.is_set) for shopper in shoppers))
        try:
            await storm.strike(blows)
            over.set()
            seconds = await invariants.settled(system)
            async with asyncio.timeout(invariants.SECONDS_TO_SETTLE):
                while not shopping.done():  # the last refunds may be confirmed only now
                    system.keep_up()
                    await asyncio.wait([shopping], timeout=0.5)
                await shopping
        except (AssertionError, TimeoutError):
            stories = "\n".join(shopper.story() for shopper in shoppers)
            sys.stdout.write(f"seed {seed}: {storm.story}\n{stories}\n{system.last_line()}\n")
            raise
    after = await invariants.read(system, seconds)
    told = invariants.summary(after, shoppers, storm.done, seed)
    record_property("storm", told)
    sys.stdout.write(json.dumps(told) + "\n")
    invariants.check_money(after)
    invariants.check_ledger(system, after)
    invariants.check_logs(after)
    invariants.check_shoppers(shoppers)
    invariants.check_audit(system, after)
    assert any(refund.outcome == "action.succeeded" for shopper in shoppers for refund in shopper.refunds_wanted)


async def shopper_for(system: System, subject: str, order: str) -> Shopper:
    _, signed = await call(STOREFRONT, "POST", "/api/token", {"customer": subject})
    return Shopper(system, subject, order, signed["token"])
