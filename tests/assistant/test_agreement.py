"""Sentences beside one sentence of a source that differ from it in a word, or in how it is put."""

import pytest

from supportbot.assistant.guardrails.agreement import agrees
from supportbot.assistant.guardrails.places import places_in
from supportbot.assistant.guardrails.said import Said

ABOVE = "Refunds above €150 are checked by a colleague."
SAME = "The new address must be in the same country as the old one."
HOURS = "The drop-off is open Monday to Saturday from 9:00 to 18:00."
RISK = "From that moment you carry the risk that the parcel disappears."
UNTIL = "You can change the address until the parcel leaves our warehouse."


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (ABOVE, "Refunds below €150 are checked by a colleague."),
        (SAME, "The new address may be in another country than the old one."),
        ("Erstattungen über 150 € prüft ein Kollege.", "Erstattungen unter 150 € prüft ein Kollege."),
        ("Bis 500 € können Sie auf Rechnung kaufen.", "Ab 500 € können Sie auf Rechnung kaufen."),
        (HOURS, "The drop-off is open Monday to Friday from 9:00 to 18:00."),
        (HOURS, "The drop-off is open on Sundays from 9:00 to 18:00."),
        ("Our sale begins in July.", "Our sale begins in June."),
        (RISK, "From that moment we carry the risk that the parcel disappears."),
        (UNTIL, "You can change the address after the parcel has left our warehouse."),
        ("Sending back a warranty repair is free.", "Sending back a warranty repair costs money."),
        ("We repair only our own products.", "We also repair products of others."),
        ("Your card number goes to our partner and is never stored by us.", "Your card number is stored by us."),
        ("An account cannot be deleted while an order is open.", "An account can be deleted while an order is open."),
        ("Die 60 Tage beginnen mit dem letzten Paket.", "Die 60 Tage beginnen mit dem ersten Paket."),
    ],
)  # fmt: skip
def test_a_word_in_place_of_its_opposite_is_held_back(source: str, sentence: str) -> None:
    assert not agrees(Said(sentence), [Said(source)])


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        (SAME, "The new address must not be in another country than the old one."),
        (UNTIL, "Once the parcel has left our warehouse, you can no longer change the address."),
        (HOURS, "The drop-off is open on Wednesdays from 9:00 to 18:00."),
        ("Express is possible from Monday to Friday.", "Express is possible on any weekday."),
        ("Delivery costs €4.90 and is free for orders above €80.", "Delivery is free for orders above €80."),
        ("Delivery costs €4.90 and is free for orders above €80.", "Delivery costs €4.90 for small orders."),
        ("Lieferung nach Österreich dauert 3 bis 4 Tage.", "Nach Österreich dauert die Lieferung 3 bis 4 Tage."),
        (RISK, "After that you carry the risk that your parcel disappears."),
    ],
)  # fmt: skip
def test_the_same_in_other_words_is_borne(source: str, sentence: str) -> None:
    assert agrees(Said(sentence), [Said(source)])


def test_words_that_begin_like_a_country_name_none() -> None:
    assert not list(places_in("Türkise Jacken, die Niederlassung, an island, and polishing boots."))
    assert set(places_in("Auf Island, in den Niederlanden, in der Türkei")) == {"iceland", "netherlands", "turkey"}
