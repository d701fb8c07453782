"""Text values of actions that a workspace defines: codes and numbers that match a pattern, and long text."""

import pytest

from supportbot.builtin.phrases import is_ours, say
from tests.builtin.action_chat import Chat, hotel
from tests.builtin.test_action_details import assert_is_on_the_wire, block_of


def call_back(pattern: str) -> Chat:
    return hotel("call_back", {"phone": {"type": "string", "pattern": f"^{pattern}$"}}, "Please call me back")


@pytest.mark.one_in(3)
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


@pytest.mark.one_in(3)
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


STORY = "There was a large dent in the front left door when I came back to the car, and nobody had left a note. "


def damage() -> Chat:
    text = {"type": "string", "maxLength": 2_000, "title": "What happened"}
    return hotel("report_damage", {"story": text}, "I need to report damage to the car")


@pytest.mark.long
@pytest.mark.parametrize("answer", [STORY * 10, "I need to report damage to the car. " + STORY, f"{STORY}\n\n{STORY}"])
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
