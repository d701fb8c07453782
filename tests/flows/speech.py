"""Answers of the scripted model: sentences of the demo shop's help page on returns, which the checks accept."""

import asyncio

from tests.flows.people import say, shown
from tests.modelserver import Behaviour
from tests.widget.page import Socket

QUESTION = "How long do I have to return something?"
BEGINNING = "You do not need the original box, but the item must be packed well."
ENDING = (
    "You can return a single item and keep the rest of the order. When an order comes in several parcels, the 60 days "
    "begin with the last parcel."
)
TEXT = f"{BEGINNING} {ENDING}"
# The beginning has 14 words: by then, a reader has seen it, and the next sentence has started.
IN_THE_MIDDLE = 18


def whole() -> Behaviour:
    return Behaviour(text=TEXT)


def stalled() -> Behaviour:
    """Stop in the middle and never continue."""
    return Behaviour(text=TEXT, stall_after=IN_THE_MIDDLE)


def paused() -> tuple[Behaviour, asyncio.Event]:
    """Stop in the middle until the event is set."""
    gate = asyncio.Event()
    return Behaviour(text=TEXT, stall_after=IN_THE_MIDDLE, gate=gate), gate


def cut() -> Behaviour:
    return Behaviour(text=TEXT, cut_after=IN_THE_MIDDLE)


async def ask_until_the_middle(socket: Socket) -> None:
    """Ask, and return once everything before the model's pause has been shown."""
    await say(socket, QUESTION)
    await socket.until("assistant.started")
    while BEGINNING not in shown(socket.frames, 1):
        await socket.until("delta")
