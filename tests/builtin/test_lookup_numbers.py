"""Look-ups by a number: which one is meant, and when nothing has to be asked."""

from dataclasses import replace

import pytest

from supportbot.builtin.actions.asking import ask_for
from supportbot.llm.types import ToolSpec
from tests.builtin.action_chat import HUMAN, Chat

EXAMPLES = ("Where is my parcel L-4412?", "Track a parcel", "Has my parcel arrived?")


def track(**shape: str) -> ToolSpec:
    """Return a look-up by a parcel's number."""
    number = {"type": "string", "title": "Parcel number", **shape}
    schema = {"type": "object", "properties": {"parcel": number}, "required": ["parcel"]}
    return ToolSpec(
        "track_parcel", "Where a parcel is.", schema, title="Track a parcel", examples=EXAMPLES, is_read=True
    )


def looked_up(*said: str, tool: ToolSpec) -> list[str]:
    chat = Chat(tools=(HUMAN, tool), orders=())
    for text in said:
        chat.send(text)
    return [call.arguments for call in chat.asked]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("Track a parcel, L-4412", "L-4412"),
        ("Track a parcel, not L-4412", ""),
        ("Track a parcel, L-4411 not L-4412", "L-4411"),
        ("Track a parcel: L-4412 has not arrived", "L-4412"),
        ("Track a parcel: why not L-4412?", "L-4412"),
        ("Track a parcel. Has not L-4412 arrived?", "L-4412"),
        ("Track a parcel. That is not L-4412, sorry", ""),
        ("Bitte den Stand der Sendung, aber nicht L-4412", ""),
    ],
)
def test_a_denied_number_is_not_looked_up(said: str, number: str) -> None:
    found = looked_up(said, tool=track())
    assert found == ([f'{{"parcel":"{number}"}}'] if number else [])


def test_a_number_denied_later_is_not_looked_up_again() -> None:
    assert looked_up("Track a parcel, L-4412", "Track a parcel, not L-4412", tool=track()) == []


def test_a_look_up_that_a_message_only_resembles_is_made_at_once_if_its_number_is_there() -> None:
    tool = track(pattern="^L-[0-9]{4}$")
    chat = Chat(tools=(HUMAN, tool), orders=())
    words, _ = chat.send("and what of the parcel")
    assert chat.asked == [] and words != ""
    assert looked_up("and what of the parcel L-4412", tool=tool) == ['{"parcel":"L-4412"}']


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("cs 1001", "CS-1001"),
        ("cs1001", "CS-1001"),
        ("CS-1001", "CS-1001"),
        ("cs 10012", "10012"),  # in no spelling in the format
    ],
)
def test_an_order_number_that_was_asked_for_is_read_in_its_own_format(said: str, number: str) -> None:
    order = {"type": "string", "title": "Order number", "pattern": "^CS-[0-9]{4}$"}
    schema = {"type": "object", "properties": {"order_id": order}, "required": ["order_id"]}
    assert looked_up("Track a parcel", said, tool=replace(track(), parameters=schema)) == [f'{{"order_id":"{number}"}}']


def test_the_example_of_a_date_is_within_its_bounds() -> None:
    def asked(least: str, greatest: str) -> str:
        day = {"type": "string", "format": "date", "formatMinimum": least, "formatMaximum": greatest}
        tool = ToolSpec("move", "Move.", {"type": "object", "properties": {"day": day}, "required": ["day"]})
        return ask_for(tool, "day", "en").text

    assert "as in 13 December 2026." in asked("2026-12-01", "2027-02-28")
    assert "as in 20 December 2026." in asked("2026-12-20", "2027-02-28")
    assert "as in 31 May 2027." in asked("2026-12-01", "2026-12-05")
