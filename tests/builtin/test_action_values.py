"""Dates, numbers, choices and yes or no, for actions that a workspace defines."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest

from supportbot.builtin.phrases import is_offer_of_a_person, is_ours, say
from supportbot.formats import format_day, format_day_of_year
from supportbot.llm.types import ChatMessage, ToolSpec
from tests.builtin.action_chat import HUMAN, Chat
from tests.builtin.test_action_details import assert_is_on_the_wire, block_of

DAY = {"type": "string", "format": "date"}
EXTRAS = {
    "type": "array",
    "items": {"type": "string", "enum": ["breakfast", "parking", "late_breakfast"]},
    "minItems": 1,
}


def hotel(
    name: str, properties: Mapping[str, Any], wish: str, labels: Mapping[str, Mapping[str, str]] | None = None
) -> Chat:
    """Return a chat of a shop with one action."""
    parameters = {"type": "object", "properties": properties, "required": list(properties)}
    tool = ToolSpec(name, "?", parameters, title=name, examples=(wish,), option_labels=labels or {})
    return Chat(tools=(HUMAN, tool), orders=())


def wake_up() -> Chat:
    number = {"type": "integer", "minimum": 0}
    return hotel(
        "wake_up",
        {"hour": {**number, "maximum": 23}, "minute": {**number, "maximum": 59}},
        "Please wake me up tomorrow",
    )


def move_stay() -> Chat:
    return hotel("move_stay", {"arrival": DAY, "departure": DAY}, "I want to move my stay to other days")


def add_extras() -> Chat:
    labels = {"extras": {"breakfast": "Frühstück", "parking": "Parkplatz", "late_breakfast": "Spätes Frühstück"}}
    return hotel("add_extras", {"extras": EXTRAS}, "Bitte Extras zu meiner Buchung hinzufügen", labels)


def newsletter() -> Chat:
    return hotel("set_newsletter", {"subscribed": {"type": "boolean"}}, "I want to change my newsletter settings")


def test_one_figure_does_not_fill_two_fields() -> None:
    chat = wake_up()
    asked, calls = chat.send("Please wake me up tomorrow at 6:30")
    assert asked.startswith(say("other", "en", part="Hour")) and calls == []
    chat.send("6")
    assert chat.send("30")[1] == [("wake_up", {"hour": 6, "minute": 30})]


def test_a_lone_figure_is_asked_about_where_it_may_belong_to_either_field() -> None:
    asked, calls = wake_up().send("Please wake me up tomorrow at 6")
    assert asked.startswith(say("other", "en", part="Hour")) and calls == []


def test_a_figure_next_to_the_name_of_a_field_belongs_to_it() -> None:
    assert wake_up().send("Please wake me up tomorrow, hour 6, minute 30")[1] == [
        ("wake_up", {"hour": 6, "minute": 30})
    ]


def test_a_number_out_of_range_is_asked_for_with_its_range() -> None:
    chat = wake_up()
    asked, calls = chat.send("Please wake me up tomorrow, hour 25")
    expected = say("whole_number", "en", minimum="0", maximum="23")
    assert (asked, calls) == (f"{say('other', 'en', part='Hour')} {expected}", [])
    assert chat.blocks[0]["prompt"] == asked
    assert chat.send("25") == (f"{say('unread', 'en')} {asked}", [])
    chat.send("7")
    assert chat.send("0")[1] == [("wake_up", {"hour": 7, "minute": 0})]


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


def test_a_relative_day_counts_from_the_day_on_which_it_was_written() -> None:
    chat = move_stay()
    chat.today = date(2026, 11, 28)
    chat.send("I want to move my stay, arrival tomorrow")
    chat.today = date(2026, 11, 30)
    assert chat.send("in three days")[1] == [("move_stay", {"arrival": "2026-11-29", "departure": "2026-12-03"})]


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


def test_a_day_out_of_bounds_is_asked_for_again_with_them() -> None:
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


@pytest.mark.parametrize(
    ("locale", "bounds", "expected"),
    [
        ("en", {"minimum": 0.5, "maximum": 1500}, "Please write a number from 0.5 to 1,500."),
        ("de", {"minimum": 0.5, "maximum": 1500}, "Bitte schreiben Sie eine Zahl von 0,5 bis 1.500."),
        ("en", {"minimum": 0.5}, "Please write a number that is at least 0.5."),
        ("en", {"maximum": 2.5}, "Please write a number that is at most 2.5."),
    ],
)
def test_a_decimal_out_of_range_is_asked_for_again_with_its_range(
    locale: str, bounds: Mapping[str, float], expected: str
) -> None:
    weight = {"type": "string", "pattern": r"^-?[0-9]{1,10}(\.[0-9]{1,6})?$", **bounds}
    wish = {"en": "Please collect a parcel", "de": "Bitte ein Paket abholen"}[locale]
    chat = hotel("send_parcel", {"weight": weight}, wish)
    chat.locale = locale
    asked, _ = chat.send(wish)
    assert asked.endswith(expected)
    assert not {"minimum", "maximum"} & chat.blocks[0]["fields"][0].keys()
    for said in ("0,25", "-1") if "minimum" in bounds else ("2,6", "9000"):
        assert chat.send(said) == (f"{say('unread', locale)} {asked}", [])
    assert chat.send("2,5")[1] == [("send_parcel", {"weight": "2.5"})]


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


@pytest.mark.parametrize(
    ("said", "extras"),
    [
        ("Frühstück und Parkplatz", ["breakfast", "parking"]),
        ("breakfast and parking", ["breakfast", "parking"]),
        ("Extras: Frühstück, Parkplatz", ["breakfast", "parking"]),
        ("nur spätes Frühstück bitte", ["late_breakfast"]),
    ],
)
def test_several_options_can_be_ticked_or_named_by_their_labels(said: str, extras: list[str]) -> None:
    chat = add_extras()
    chat.locale = "de"
    block = block_of(chat, "Bitte Extras zu meiner Buchung hinzufügen")
    [field] = block["fields"]
    assert field["type"] == "array" and field["items"]["enum"] == ["Frühstück", "Parkplatz", "Spätes Frühstück"]
    assert chat.send(said)[1] == [("add_extras", {"extras": extras})]


@pytest.mark.parametrize(
    ("least", "options", "said", "chosen"),
    [
        (0, 3, "all of them", 3),
        (0, 3, "Alle bitte", 3),
        (0, 2, "both", 2),
        (0, 3, "both", None),
        (0, 3, "none", 0),
        (1, 3, "none", None),
        (0, 3, "not all", None),
    ],
)
def test_all_both_or_none_of_the_options_can_be_said(least: int, options: int, said: str, chosen: int | None) -> None:
    extras = EXTRAS["items"]["enum"][:options]
    shape = {"type": "array", "items": {"type": "string", "enum": extras}, "minItems": least}
    chat = hotel("add_extras", {"extras": shape}, "Please add extras to my booking")
    chat.send("Please add extras to my booking")
    expected = [] if chosen is None else [("add_extras", {"extras": extras[:chosen]})]
    assert chat.send(said)[1] == expected


@pytest.mark.parametrize(
    ("locale", "said", "minute"),
    [("en", "thirty", 30), ("en", "one", 1), ("en", "twenty-one please", 21), ("de", "dreißig", 30), ("fr", "deux", 2)],
)
def test_a_number_in_words_is_read_as_an_answer(locale: str, said: str, minute: int) -> None:
    chat = wake_up()
    chat.locale = locale
    chat.send("Please wake me up tomorrow, hour 6")
    assert chat.send(said)[1] == [("wake_up", {"hour": 6, "minute": minute})]


def test_a_number_in_words_is_read_next_to_the_name_of_its_field() -> None:
    assert wake_up().send("Please wake me up tomorrow, hour six, minute thirty")[1] == [
        ("wake_up", {"hour": 6, "minute": 30})
    ]


@pytest.mark.parametrize(
    ("said", "value"), [("yes", True), ("Yes", True), ("yes please", True), ("no", False), ("no, thanks", False)]
)
def test_a_yes_or_no_is_asked_for_with_buttons_and_read(said: str, value: bool) -> None:
    chat = newsletter()
    block = block_of(chat, "I want to change my newsletter settings")
    assert [option["label"] for option in block["options"]] == ["Yes", "No"]
    assert chat.send(said)[1] == [("set_newsletter", {"subscribed": value})]


def test_a_withdrawal_is_not_an_answer_to_a_yes_or_no() -> None:
    chat = newsletter()
    chat.send("I want to change my newsletter settings")
    assert chat.send("never mind") == (say("left_alone", "en"), [])


def test_options_have_their_labels_in_the_question_and_on_the_buttons() -> None:
    labels = {"wish": {"subscribe": "Subscribe me", "unsubscribe": "Take me off the list"}}
    wish = {"type": "string", "enum": ["subscribe", "unsubscribe"]}
    chat = hotel("set_newsletter", {"wish": wish}, "I want to change my newsletter settings", labels)
    asked, _ = chat.send("I want to change my newsletter settings")
    assert asked == say("choice", "en", part="Wish", choices="Subscribe me or Take me off the list")
    [block] = chat.blocks
    assert_is_on_the_wire(dict(block))
    assert block["options"][0] == {"id": "subscribe", "label": "Subscribe me"}
    assert chat.send("Take me off the list")[1] == [("set_newsletter", {"wish": "unsubscribe"})]


def storage(labels: Mapping[str, str]) -> Chat:
    """Return a chat that has asked which size is wanted."""
    size = {"type": "string", "enum": list(labels)}
    chat = hotel("rent_storage", {"size": size}, "I want to rent a storage unit", {"size": labels})
    chat.send("I want to rent a storage unit")
    return chat


SIZES = {"s": "Small (3 m²)", "m_2": "Medium (6 m²)", "l": "Groß (12 m²)", "xl": "Medium plus [18 m²]", "w": "W & W+"}


@pytest.mark.parametrize("size", SIZES)
def test_an_options_button_works_whatever_characters_its_label_has(size: str) -> None:
    chat = storage(SIZES)
    label = next(option["label"] for option in chat.blocks[0]["options"] if option["id"] == size)
    assert chat.send(label)[1] == [("rent_storage", {"size": size})]


@pytest.mark.parametrize(
    ("said", "size"),
    [
        ("medium", "m_2"), ("Medium please", "m_2"), ("the GROSS one", "l"), ("medium plus", "xl"),
        ("Medium (6 m2)", "m_2"), ("Size: Groß (12 m²)", "l"), ("groß, 12 m²", "l"),
    ],
)  # fmt: skip
def test_an_option_can_be_named_without_the_brackets_in_its_label(said: str, size: str) -> None:
    assert storage(SIZES).send(said)[1] == [("rent_storage", {"size": size})]


@pytest.mark.parametrize("said", ["I'm not sure yet", "I’m thinking", "l'appartement est petit", "it's small"])
def test_a_letter_at_an_apostrophe_is_not_an_option(said: str) -> None:
    chat = storage({"M": "", "L": "", "S": ""})
    assert chat.send(said)[1] == []
    assert chat.send("M please")[1] == [("rent_storage", {"size": "M"})]


def test_labels_that_differ_only_in_brackets_are_asked_about_again() -> None:
    chat = storage({"day": "Standard (24 hours)", "two_days": "Standard (48 hours)"})
    assert chat.send("standard")[1] == []
    assert chat.send("standard, 48 hours")[1] == [("rent_storage", {"size": "two_days"})]


def call_back(pattern: str) -> Chat:
    return hotel("call_back", {"phone": {"type": "string", "pattern": f"^{pattern}$"}}, "Please call me back")


@pytest.mark.parametrize(
    ("pattern", "said", "phone"),
    [
        (r"\+?[0-9 ]{6,20}", "0176 1234567", "0176 1234567"),
        (r"\+?[0-9 ]{6,20}", "It's +49 176 12 34 567.", "+49 176 12 34 567"),
        (r"\+?[0-9 ]{6,20}", "2 minutes ago: 0176 1234567, thanks", "0176 1234567"),
        (r"\+?[0-9]{6,20}", "01761234567!", "01761234567"),
        (r"[A-Z]{2} [0-9]{3}", "the code (AB 123)", "AB 123"),
        (r"\([0-9]{4}\) [0-9]{7}", "(0176) 1234567", "(0176) 1234567"),
        (r"[0-9]{7}", "1234567 2 times", "1234567"),
        (r"[0-9]{7}", "in C12 1234567", "1234567"),
        (r"[0-9]{7}", "12, 1234567", "1234567"),
        (r"[0-9]{7}", "No. 12; 1234567", "1234567"),
        (r"[0-9]{7}", "12\n1234567", "1234567"),
        (r"[0-9]+,[0-9]+", "table 12,13", "12,13"),
        (r"[0-9.]+\s[0-9]+", "it is 1.2 33", "1.2 33"),
        (r"[0-9]{4}[^a-z][0-9]{3}", "it is 0176 123", "0176 123"),
    ],
)
def test_a_value_whose_pattern_allows_spaces_is_taken_as_a_whole(pattern: str, said: str, phone: str) -> None:
    chat = call_back(pattern)
    chat.send("Please call me back")
    assert chat.send(said)[1] == [("call_back", {"phone": phone})]


def test_a_value_with_spaces_is_read_next_to_another_answer() -> None:
    phone = {"type": "string", "pattern": r"^\+?[0-9 ]{6,20}$"}
    chat = hotel("call_back", {"name": {"type": "string"}, "phone": phone}, "Please call me back")
    chat.send("Please call me back")
    said = "Alice, on 0176 1234567"
    assert chat.send(said)[1] == [("call_back", {"name": said, "phone": "0176 1234567"})]


def test_a_very_wide_range_is_shown_only_after_an_unreadable_answer() -> None:
    weight = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
    chat = hotel("send_parcel", {"weight": weight}, "Please collect a parcel")
    asked = say("other", "en", part="Weight")
    assert chat.send("Please collect a parcel") == (asked, [])
    expected = say("whole_number", "en", minimum="0", maximum="1000000")
    assert chat.send("2.5") == (f"{say('unread', 'en')} {expected} {asked}", [])


def test_the_question_for_a_value_with_a_pattern_always_shows_the_example() -> None:
    unit = {"type": "string", "pattern": "^U-[0-9]{3}$", "examples": ["U-101"], "title": "Unit number"}
    chat = hotel("move_out", {"unit": unit}, "I want to move out")
    asked, _ = chat.send("I want to move out")
    example = say("example", "en", example="U-101")
    assert asked == f"{say('other', 'en', part='Unit number')} {example}" == chat.blocks[0]["prompt"]
    for _ in range(3):
        again, calls = chat.send("the blue one")
        assert again != asked and example in again and is_ours(example) and calls == []
    assert chat.send("U-101")[1] == [("move_out", {"unit": "U-101"})]


def test_a_value_never_begins_among_digits() -> None:
    chat = call_back("[0-9]{7}")
    chat.send("Please call me back")
    assert chat.send("0176 1234567")[1] == []
    assert chat.send("1234567")[1] == [("call_back", {"phone": "1234567"})]


@pytest.mark.parametrize(
    ("pattern", "said", "value"),
    [
        ("[A-Z0-9-]+", "it is AB-12 from HOTEL-CALIFORNIA", "AB-12"),
        ("[A-Z0-9-]+", "from HOTEL-CALIFORNIA: AB-12 and CD-3456", "AB-12"),
        ("[A-Z]+-[A-Z]+", "AB-CD from HOTEL-CALIFORNIA", "AB-CD"),
        ("[A-Za-z]+", "Li is my surname", "Li"),
    ],
)
def test_the_first_value_with_digits_counts_or_else_the_first_value(pattern: str, said: str, value: str) -> None:
    chat = call_back(pattern)
    chat.send("Please call me back")
    assert chat.send(said)[1] == [("call_back", {"phone": value})]


@pytest.mark.parametrize(
    ("pattern", "said", "value"),
    [
        ("U-[0-9]{3}", "u101", "U-101"),
        ("U-[0-9]{3}", "It's u-101.", "U-101"),
        ("U-[0-9]{3}", "unit U 101 please", "U-101"),
        ("U[0-9]{3}", "U-101", "U101"),
        ("[A-Z]{2}[0-9]{2}-[0-9]{3}", "ab12345", "AB12-345"),
        (r"\+?[0-9]{6,20}", "0176 123 4567", "01761234567"),
        (r"\+?[0-9]{6,20}", "+49 176 1234567", "+491761234567"),
    ],
)
def test_a_value_is_read_in_the_other_case_and_without_its_hyphen(pattern: str, said: str, value: str) -> None:
    chat = call_back(pattern)
    chat.send("Please call me back")
    assert chat.send(said)[1] == [("call_back", {"phone": value})]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[A-Z]+-[0-9A-Z]+", "ab1"),  # A-B1 or AB-1
        ("U-[0-9]{3}", "u101 or u102"),
        ("U-[0-9]{3}", "u1012"),
        ("[A-Z]{6}", "thanks"),
        ("U-[0-9]{3}", "I don't know the number"),
    ],
)
def test_a_value_that_may_be_several_or_none_is_asked_for_again(pattern: str, said: str) -> None:
    chat = call_back(pattern)
    chat.send("Please call me back")
    assert chat.send(said)[1] == []


@pytest.mark.parametrize("pattern", ["[A-Za-z ]{2,99}", "[A-Za-z]+", "[A-Za-z0-9 ]{2,99}"])
def test_words_of_a_request_are_not_a_value_if_the_pattern_matches_most_words(pattern: str) -> None:
    chat = call_back(pattern)
    assert chat.send("Please call me back")[1] == []
    assert chat.send("Mallory")[1] == [("call_back", {"phone": "Mallory"})]


def test_a_code_without_digits_is_read_from_a_request_if_no_other_word_matches() -> None:
    assert call_back("[A-Z]{6}").send("Please call me back about QWERTY")[1] == [("call_back", {"phone": "QWERTY"})]


@pytest.mark.parametrize("in_between", ["When does breakfast end?", "thanks", "hello"])
def test_a_bare_figure_or_day_still_answers_the_earlier_question(in_between: str) -> None:
    chat = wake_up()
    chat.send("Please wake me up tomorrow")
    chat.send(in_between)
    chat.send("6")
    chat.send(in_between)
    assert chat.send("30")[1] == [("wake_up", {"hour": 6, "minute": 30})]
    chat = move_stay()
    chat.send("I want to move my stay to other days")
    chat.send(in_between)
    assert chat.send("5 March 2027")[0] == say("date", "en", part="Departure", example="31 May 2027")


def test_a_time_is_not_a_whole_number_so_it_asks_again() -> None:
    chat = wake_up()
    chat.send("Please wake me up tomorrow")
    asked, calls = chat.send("at 6:30")
    assert asked.startswith(say("unread", "en")) and calls == []


def test_two_days_in_an_answer_are_offered_as_choices() -> None:
    chat = move_stay()
    chat.send("I want to move my stay to other days")
    asked, _ = chat.send("from 5 March 2027 to 7 March 2027")
    assert asked == say("date", "en", part="Arrival", example="31 May 2027")
    assert [option["id"] for option in chat.blocks[0]["options"]] == ["2027-03-05", "2027-03-07"]


def test_an_order_that_cannot_be_read_ends_with_the_offer_of_a_person_too() -> None:
    chat = Chat()
    chat.send("refund please")
    for _ in range(2):
        assert not is_offer_of_a_person(chat.send("the nice one there")[0])
    words, _ = chat.send("the nice one there")
    assert is_offer_of_a_person(words) and say("which_of_these", "en") in words
    assert [call[1]["order_id"] for call in chat.send("WF-20404")[1]] == ["WF-20404"]


STORY = "There was a large dent in the front left door when I came back to the car, and nobody had left a note. "


def damage() -> Chat:
    text = {"type": "string", "maxLength": 2_000, "title": "What happened"}
    return hotel("report_damage", {"story": text}, "I need to report damage to the car")


@pytest.mark.parametrize("answer", [STORY * 15, "I need to report damage to the car. " + STORY, f"{STORY}\n\n{STORY}"])
def test_a_long_text_is_taken_whole_as_it_was_written(answer: str) -> None:
    chat = damage()
    block = block_of(chat, "I need to report damage to the car")
    assert_is_on_the_wire(block)
    assert block["fields"][0]["maxLength"] == 1_000  # the limit of a form; a message may be longer
    _, [(_, arguments)] = chat.send(answer)
    assert arguments == {"story": " ".join(answer.split())}


def test_a_text_is_cut_at_the_actions_limit() -> None:
    chat = damage()
    chat.send("I need to report damage to the car")
    _, [(_, arguments)] = chat.send(STORY * 30)
    assert arguments["story"] == (STORY * 30)[:2_000].rpartition(" ")[0]


def test_a_day_given_instead_of_choosing_an_action_corrects_nothing() -> None:
    chat = hotel("book_table", {"day": DAY}, "Please book a table for me")
    chat.send("Please book a table for me")
    assert chat.send("5 March 2027")[1] == [("book_table", {"day": "2027-03-05"})]
    chat.messages.append(ChatMessage("assistant", say("meant", "en", title="Find a table")))
    assert chat.send("make it 6 March 2027 please")[1] == []
