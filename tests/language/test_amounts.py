"""Amounts of money that are clear, and those that could be misread."""

import pytest

from supportbot.language.amounts import amount_in


@pytest.mark.parametrize("figure", ["", "1e2", "1_0", "NaN", "-1", "0.00", "1.2345", "12.345", "٣٠"])
def test_text_without_a_clear_amount_has_none(figure: str) -> None:
    assert amount_in(f"{figure} EUR")[0] == "" and amount_in(figure, is_asked=True)[0] == ""
