"""The number of message parts that are matched with a pattern is limited, since matching takes time."""

import re

import pytest

from supportbot.builtin.actions import patterns
from supportbot.builtin.actions.patterns import stretches_in, value_in


class Counted:
    """A pattern that records the texts it was matched with."""

    def __init__(self, pattern: str, matched: list[str]) -> None:
        self.form, self.matched = re.compile(pattern, re.ASCII), matched

    def fullmatch(self, text: str) -> re.Match[str] | None:
        self.matched.append(text)
        return self.form.fullmatch(text)


HOSTILE = "[a-z0-9 ]*[a-z0-9 ]*[a-z0-9 ]*!"  # matches nothing below, after trying as many ways as a pattern can
CODE = "a1b2c3d4e5f6g7h8i9j0"


@pytest.fixture
def matched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A list of the texts that patterns were matched with."""
    texts = list[str]()
    monkeypatch.setattr(patterns, "form_of", lambda pattern: Counted(pattern, texts))
    return texts


@pytest.mark.one_in(5)
@pytest.mark.parametrize("is_asked", [True, False])
@pytest.mark.parametrize(
    "message", ["ab " * 1300, "a1 " * 1300, '"a1" ' * 800, f"{'a' * 99} " * 40, "a,1;" * 1000, f"{'a' * 4000}"]
)
def test_only_a_few_parts_of_a_long_message_are_matched(matched: list[str], message: str, is_asked: bool) -> None:
    assert value_in(HOSTILE, message, is_asked=is_asked) is None
    words = len(re.findall(r"[^\s,;]+", message))
    assert len(matched) <= 2 * words + 3 * 60
    assert sum(len(re.split(r"[\s,;]", one)) > 1 for one in matched) <= 3 * 60
    assert not matched or max(map(len, matched)) <= 100


def test_only_a_few_numbers_of_a_long_answer_are_corrected(matched: list[str]) -> None:
    assert value_in(HOSTILE, f"{CODE} " * 60, is_asked=True) is None
    assert CODE.upper() in matched and len(matched) <= (60 + 60) * (2 * len(CODE) + 5 * 2)
    matched.clear()
    assert value_in(HOSTILE, f"{CODE} " * 61, is_asked=True) is None
    assert CODE.upper() not in matched


def test_parts_of_several_words_are_not_matched_with_a_pattern_without_spaces(matched: list[str]) -> None:
    assert stretches_in("[0-9]{7}", "It is on page 12 of 1234567.", is_asked=True) == ["1234567"]
    assert not any(" " in one for one in matched)


def test_a_value_with_spaces_is_found_at_the_end_of_a_long_message() -> None:
    told = f"{'I have written to you before about this. ' * 50}Call 0176 123 4567, thanks. {'I am waiting. ' * 50}"
    assert value_in(r"\+?[0-9 ]{6,20}", told, is_asked=True) == "0176 123 4567"
    assert value_in(r"\+?[0-9 ]{6,20}", told, is_asked=False) == "0176 123 4567"
    assert value_in(r"\+?[0-9]{6,20}", told, is_asked=True) == "01761234567"


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("[A-Z]-[0-9]{3}", "I paid a 101 euro bill"),
        ("[A-Z]{2}[0-9]{4}", "I ordered it in 2024, I cannot find it"),
        ("[A-Z]{2}-[0-9]{4}", "at 1500 nobody answered"),
    ],
)
def test_words_of_the_sentence_are_not_part_of_a_value(pattern: str, told: str) -> None:
    assert value_in(pattern, told, is_asked=True) is None
