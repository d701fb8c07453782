"""Follow-up questions, and questions that make sense alone."""

import pytest

from supportbot.language.follow_ups import is_incomplete


@pytest.mark.parametrize(
    "text",
    [
        "And at what temperature?", "at what temperature?", "What about Austria?", "How long?", "Is it free?",
        "and how long does it take?", "Und in die Schweiz?", "Was kostet das?", "Und bei welcher Temperatur?",
        "Bis wann?",
    ],
)  # fmt: skip
def test_a_question_without_its_subject_is_incomplete(text: str) -> None:
    assert is_incomplete(text)


@pytest.mark.parametrize(
    "text",
    [
        "returns?", "Versand", "Wie lange dauert der Versand?", "Gibt es Rabatt?", "How long is the warranty?",
        "And do you have a store in Freiburg?", "Kann ich das Zelt waschen?", "Und wie kann ich mein Passwort ändern?",
    ],
)  # fmt: skip
def test_a_question_with_a_subject_is_complete(text: str) -> None:
    assert not is_incomplete(text)
