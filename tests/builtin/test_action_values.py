"""Numbers, choices and yes or no, for actions that a workspace defines."""

from collections.abc import Mapping

import pytest

from supportbot.builtin.phrases import is_offer_of_a_person, say
from supportbot.llm.types import ChatMessage
from tests.builtin.action_chat import Chat, hotel, move_stay, wake_up
from tests.builtin.test_action_details import assert_is_on_the_wire, block_of

EXTRAS = {
    "type": "array",
    "items": {"type": "string", "enum": ["breakfast", "parking", "late_breakfast"]},
    "minItems": 1,
}


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


def test_a_very_wide_range_is_shown_only_after_an_unreadable_answer() -> None:
    weight = {"type": "integer", "minimum": 0, "maximum": 1_000_000}
    chat = hotel("send_parcel", {"weight": weight}, "Please collect a parcel")
    asked = say("other", "en", part="Weight")
    assert chat.send("Please collect a parcel") == (asked, [])
    expected = say("whole_number", "en", minimum="0", maximum="1000000")
    assert chat.send("2.5") == (f"{say('unread', 'en')} {expected} {asked}", [])


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


def test_an_order_that_cannot_be_read_ends_with_the_offer_of_a_person_too() -> None:
    chat = Chat()
    chat.send("refund please")
    for _ in range(2):
        assert not is_offer_of_a_person(chat.send("the nice one there")[0])
    words, _ = chat.send("the nice one there")
    assert is_offer_of_a_person(words) and say("which_of_these", "en") in words
    assert [call[1]["order_id"] for call in chat.send("WF-20404")[1]] == ["WF-20404"]


def test_an_order_number_entered_in_a_form_replaces_the_one_in_a_message() -> None:
    number = {"type": "string", "pattern": "^CS-[0-9]{4}$", "title": "Order number", "maxLength": 100}
    chat = hotel("refund", {"order_id": number}, "I want my money back")
    chat.send("I want my money back")
    assert [name for name, _ in chat.send("cs 2001")[1]] == ["refund"]
    # The call was refused, so the chat asked with a form.
    chat.messages[-1] = ChatMessage("assistant", "Please enter: Order number. For example: CS-1001.")
    assert chat.send("Order number: CS-2001")[1] == [("refund", {"order_id": "CS-2001"})]
