"""Days, for actions that a workspace defines: read from words, asked for in a date field, and within their bounds."""

from collections.abc import Mapping
from datetime import date

import pytest

from supportbot.builtin.actions import asking
from supportbot.builtin.phrases import is_offer_of_a_person, say
from supportbot.formats import format_day, format_day_of_year
from supportbot.llm.types import ChatMessage
from tests.builtin.action_chat import DAY, hotel, move_stay
from tests.builtin.test_action_details import block_of


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "I want to move my stay, arrival 5 March 2027, departure 7 March 2027"),
        ("en", "I want to move my stay: arrival on 5 March, departure on 7 March 2027"),
        ("en-US", "I want to move my stay, arrival 3/5/2027, departure 3/7/2027"),
        ("en-GB", "I want to move my stay, arrival 5/3/2027, departure 7/3/2027"),
        ("de", "I want to move my stay, arrival 5.3.2027, departure 7.3.2027"),
    ],
)
def test_a_day_next_to_the_name_of_a_field_belongs_to_it(locale: str, said: str) -> None:
    chat = move_stay()
    chat.locale = locale
    assert chat.send(said)[1] == [("move_stay", {"arrival": "2027-03-05", "departure": "2027-03-07"})]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr", "ar"])
def test_ambiguous_days_are_offered_as_buttons(language: str) -> None:
    chat = move_stay()
    chat.locale = language
    asked, calls = chat.send("I want to move my stay to 5.3.2027 until 7.3.2027")
    buttons, form = chat.blocks
    assert calls == [] and asked == buttons["prompt"] == form["prompt"]
    assert [option["id"] for option in buttons["options"]] == ["2027-03-05", "2027-03-07"]
    chat.send(buttons["options"][0]["label"])
    assert [option["id"] for option in chat.blocks[0]["options"]] == ["2027-03-07"]
    label = format_day(date(2027, 3, 7), language)
    assert chat.send(label)[1] == [("move_stay", {"arrival": "2027-03-05", "departure": "2027-03-07"})]


@pytest.mark.parametrize("said", ["5 March 2027", "5.3.2027", "March 5, 2027", "2027-03-05", "Arrival: 2027-03-05"])
def test_a_day_is_asked_for_with_a_date_field_and_read_as_written(said: str) -> None:
    chat = move_stay()
    block = block_of(chat, "I want to move my stay to other days")
    assert block["fields"][0]["format"] == "date" and block["prompt"] == say(
        "date", "en", part="Arrival", example="31 May 2027"
    )
    asked, _ = chat.send(said)
    assert asked == say("date", "en", part="Departure", example="31 May 2027")
    assert chat.send("7 March 2027")[1] == [("move_stay", {"arrival": "2027-03-05", "departure": "2027-03-07"})]


@pytest.mark.parametrize(("locale", "example"), [("en-US", "May 31, 2027"), ("en-GB", "31 May 2027")])
def test_the_example_of_a_day_is_written_as_in_the_region(locale: str, example: str) -> None:
    chat = move_stay()
    chat.locale = locale
    assert chat.send("I want to move my stay to other days")[0] == say("date", "en", part="Arrival", example=example)


def test_the_note_on_an_unread_answer_is_in_the_region_of_its_question(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = move_stay()
    chat.locale = "en-US"
    chat.send("I want to move my stay to other days")
    monkeypatch.setattr(asking, "say", lambda phrase, locale, /, **values: f"{phrase} in {locale}.")
    assert chat.send("whenever")[0] == "unread in en-US. date in en-US."


def test_a_relative_day_counts_from_the_day_on_which_it_was_written() -> None:
    chat = move_stay()
    chat.today = date(2026, 11, 28)
    chat.send("I want to move my stay, arrival tomorrow")
    chat.today = date(2026, 11, 30)
    assert chat.send("in three days")[1] == [("move_stay", {"arrival": "2026-11-29", "departure": "2026-12-03"})]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("language", ["en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr", "ar"])
def test_a_day_without_a_year_is_offered_in_both_years_with_the_next_one_first(language: str) -> None:
    chat = move_stay()
    chat.locale, chat.today = language, date(2026, 11, 28)
    chat.send("I want to move my stay to other days")
    chat.send(format_day_of_year("2027-03-05", language))
    assert [option["id"] for option in chat.blocks[0]["options"]] == ["2027-03-05", "2026-03-05"]
    chat.send(chat.blocks[0]["options"][0]["label"])
    assert chat.send(format_day(date(2027, 3, 7), language))[1] == [
        ("move_stay", {"arrival": "2027-03-05", "departure": "2027-03-07"})
    ]


@pytest.mark.parametrize(
    ("bounds", "day"),
    [
        ({"formatMinimum": "2026-11-28"}, "2027-03-05"),
        ({"formatMaximum": "2026-11-28"}, "2026-03-05"),
        ({"formatMinimum": "2026-11-28", "formatMaximum": "2027-11-28"}, "2027-03-05"),
    ],
)
def test_the_year_of_a_day_is_the_one_within_the_bounds(bounds: Mapping[str, str], day: str) -> None:
    chat = hotel("move_stay", {"arrival": {**DAY, **bounds}}, "I want to move my stay to another day")
    chat.today = date(2026, 11, 28)
    chat.send("I want to move my stay to another day")
    assert chat.send("5 March")[1] == [("move_stay", {"arrival": day})]


def test_a_day_out_of_bounds_is_asked_for_again_with_its_bounds() -> None:
    bounds = {"formatMinimum": "2026-11-28", "formatMaximum": "2027-03-31"}
    chat = hotel("move_stay", {"arrival": {**DAY, **bounds}}, "I want to move my stay to another day")
    chat.today = date(2026, 11, 28)
    asked, _ = chat.send("I want to move my stay to another day")
    expected = say("day_range", "en", minimum="28 November 2026", maximum="31 March 2027")
    assert asked.endswith(expected)
    for said in ("5 April 2027", "yesterday"):
        words, calls = chat.send(said)
        assert (words, calls) == (f"{say('unread', 'en')} {asked}", [])
        assert [block["type"] for block in chat.blocks] == ["form"]
    assert chat.send("tomorrow")[1] == [("move_stay", {"arrival": "2026-11-29"})]


@pytest.mark.parametrize("said", ["5/3/2027", "5 March", "soon", "31.2.2027", "whenever there is a free room"])
def test_a_day_that_is_unclear_is_asked_for_again_then_a_person_is_offered(said: str) -> None:
    chat = move_stay()
    chat.send("I want to move my stay to other days")
    question = say("date", "en", part="Arrival", example="31 May 2027")
    for _ in range(2):
        assert chat.send(said) == (f"{say('unread', 'en')} {question}", [])
        assert chat.blocks[0]["type"] == "form"
    words, calls = chat.send(said)
    assert is_offer_of_a_person(words) and calls == []
    assert chat.send("5 March 2027")[0] == say("date", "en", part="Departure", example="31 May 2027")


def test_another_question_and_a_withdrawal_are_not_answers() -> None:
    chat = move_stay()
    chat.send("I want to move my stay to other days")
    assert chat.send("When does breakfast end?")[0] == say("not_found", "en")
    assert chat.send("never mind") == (say("left_alone", "en"), [])


def test_two_days_in_an_answer_are_offered_as_choices() -> None:
    chat = move_stay()
    chat.send("I want to move my stay to other days")
    asked, _ = chat.send("from 5 March 2027 to 7 March 2027")
    assert asked == say("date", "en", part="Arrival", example="31 May 2027")
    assert [option["id"] for option in chat.blocks[0]["options"]] == ["2027-03-05", "2027-03-07"]


def test_a_day_given_instead_of_choosing_an_action_corrects_nothing() -> None:
    chat = hotel("book_table", {"day": DAY}, "Please book a table for me")
    chat.send("Please book a table for me")
    assert chat.send("5 March 2027")[1] == [("book_table", {"day": "2027-03-05"})]
    chat.messages.append(ChatMessage("assistant", say("meant", "en", title="Find a table")))
    assert chat.send("make it 6 March 2027 please")[1] == []
