"""Amounts of money that are clear, and those that could be misread."""

import pytest

from supportbot.language.amounts import amount_in


@pytest.mark.parametrize("figure", ["", "1e2", "1_0", "NaN", "-1", "0.00", "1.2345", "12.345", "٣٠"])
def test_text_without_a_clear_amount_has_none(figure: str) -> None:
    assert amount_in(f"{figure} EUR")[0] == "" and amount_in(figure, is_asked=True)[0] == ""


@pytest.mark.parametrize(
    "text", ["refund €-500", "refund € −500", "refund -€500", "refund -EUR 500", "€(500)", "€50-€60"]
)
def test_a_sign_between_a_currency_and_its_figure_makes_the_amount_unclear(text: str) -> None:
    assert amount_in(text) == ("", True)


def test_a_dash_before_an_amount_is_not_its_sign() -> None:
    assert amount_in("Refund for WF-20418 - €20")[0] == amount_in("Refund for WF-20418 – €20")[0] == "20"
