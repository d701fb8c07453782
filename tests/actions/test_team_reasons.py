"""Reasons as the team reads them."""

import re

import pytest

from actions.reasons import CODES, Reason, sentence
from actions.team_reasons import team_sentence

FACTS = {"order": "A-1", "days": "60", "left": "5.00", "pending": "2.00", "currency": "EUR", "country": "DE"}


@pytest.mark.parametrize("code", sorted(CODES))
def test_no_reason_for_the_team_addresses_the_customer(code: str) -> None:
    assert not re.search(r"\b(you|your|I)\b|[Pp]lease|A colleague can", team_sentence(Reason(code, FACTS)))


def test_a_reason_without_an_address_is_the_same_for_the_team() -> None:
    reason = Reason("already_refunded", FACTS)
    assert team_sentence(reason) == sentence(reason, "en")


def test_words_of_a_definition_stay_as_they_are() -> None:
    reason = Reason("record_not_found", {"words.en": "You have no such parcel."})
    assert team_sentence(reason) == "You have no such parcel."


def test_facts_fill_the_sentence() -> None:
    assert team_sentence(Reason("order_not_found", FACTS)) == "The customer has no order A-1."
    assert team_sentence(Reason("order_not_found")) == "The customer has no order –."
