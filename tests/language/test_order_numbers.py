"""Order numbers by their format, and numbers that only look like one."""

import pytest

from supportbot.language.order_numbers import order_numbers_in, without_numbers


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("WF-20418 and wf-20404, please", ["WF-20418", "wf-20404"]),
        ("WF 20418", ["WF-20418"]),
        ("order 20418", ["20418"]),
        ("in 2026", []),
        ("€20418 or 20418 €", []),
        ("within 365 days", []),
        ("Hauptstr. 5, 80331 München", []),
    ],
)
def test_order_numbers_are_recognised_by_their_format(text: str, numbers: list[str]) -> None:
    assert order_numbers_in(text) == numbers


def test_a_short_number_counts_if_it_was_asked_for() -> None:
    assert order_numbers_in("2026", is_asked=True) == ["2026"]


def test_blanking_order_numbers_keeps_the_length() -> None:
    text = "WF-20440 goes to Elm Road 5"
    assert len(without_numbers(text)) == len(text) and "20440" not in without_numbers(text)
