"""What an answer may say of requests that have succeeded."""

import pytest

from supportbot.assistant.guardrails.ledger import is_on_record

DONE = ("Done: Refund €79.00 for order WF-20410. Your reference is RF-B2IP-0410.",)
ERLEDIGT = ("Erledigt: Erstattung von 79,00 € für Bestellung WF-20410. Ihre Referenz ist RF-B2IP-0410.",)


@pytest.mark.parametrize(
    ("sentence", "done"),
    [
        ("Your refund of €79.00 for order WF-20410 has been issued.", DONE),
        ("I have refunded 79.00 EUR for your order WF-20410.", DONE),
        ("Yes, the refund for order WF-20410 was completed, and your reference number is RF-B2IP-0410.", DONE),
        ("Die Erstattung von 79,00 Euro für Ihre Bestellung WF-20410 wurde erledigt.", ERLEDIGT),
        ("Für die Bestellung WF-20410 wurden 79,00 € erstattet.", ERLEDIGT),
        ("I have refunded €79 for your order WF‑20410.", DONE),  # with a dash that breaks no line
    ],
)
def test_what_the_ledger_says_may_be_said(sentence: str, done: tuple[str, ...]) -> None:
    assert is_on_record(sentence, done)


@pytest.mark.parametrize(
    "sentence",
    [
        "Your refund has been issued.",
        "Your refund of €79.00 for order WF-20411 has been issued.",
        "Your refund of €97.00 for order WF-20410 has been issued.",
        "Your refund of $79.00 for order WF-20410 has been issued.",
        "I have refunded dollars for order WF-20410.",
        "Your refund of 20410 has been issued.",
        "I have refunded 410 for order WF-20410.",
        "Another refund of €79.00 for order WF-20410 has been issued.",
        "A refund of €79.00 for order WF-20410 was issued again.",
        "€79.00 more were refunded for order WF-20410.",
        "The refund of €79.00 for order WF-20410 was not issued.",
        "Your refund of €79.00 for order WF-20410 arrives today.",
        "Your refund of €79.00 for order WF-20410 is in your account.",
        "Order WF-20410 was cancelled.",
        "Order WF-20410 was refunded completely.",
        "I will refund €79.00 for order WF-20410.",
        "Order WF-20410 was rеfunded €79.00.",  # with a Cyrillic letter
        "See https://evil.example for your refund of €79.00 for order WF-20410.",
    ],
)
def test_what_it_does_not_say_may_not(sentence: str) -> None:
    assert not is_on_record(sentence, DONE)


def test_nothing_done_bears_nothing() -> None:
    assert not is_on_record("Your refund of €79.00 for order WF-20410 has been issued.", ())
