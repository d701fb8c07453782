"""Typing errors that are corrected, and words that are not."""

import pytest

from supportbot.language.spelling import corrected_spelling, word_counts
from tests.builtin.action_chat import Chat

KNOWN = word_counts(
    "You can return a parcel. Delivery to Switzerland costs more. Boots and tents. Die Lieferung nach Österreich."
)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("how do i retrun it", "how do i return it"),
        ("delivry to swizerland", "delivery to switzerland"),
        ("Die Liferung nach Östereich?", "Die Lieferung nach Österreich?"),
        ("delviery of a parecl", "delivery of a parcel"),
        ("Boats, parxel, ship, slip", "Boats, parxel, ship, slip"),
        ("Returned, tent, deliver", "Returned, tent, deliver"),
        ("WF-20418 retrun2", "WF-20418 retrun2"),
        ("", ""),
    ],
)
def test_a_typing_error_is_corrected_and_another_word_is_kept(said: str, meant: str) -> None:
    assert corrected_spelling(said, KNOWN) == meant


@pytest.mark.parametrize(
    ("text", "action", "order"),
    [
        ("i want a refnud for WF-20418", "refund_order", "WF-20418"),
        ("cancle my order WF-20444", "cancel_order", "WF-20444"),
        ("bitte storniern sie WF-20444", "cancel_order", "WF-20444"),
    ],
)
def test_a_request_with_a_typing_error_is_detected(text: str, action: str, order: str) -> None:
    [(name, arguments)] = Chat().send(text)[1]
    assert (name, arguments["order_id"]) == (action, order)


def test_an_address_is_never_corrected() -> None:
    chat = Chat()
    chat.send("I want to chnage the delivery adress of WF-20444")
    [(name, arguments)] = chat.send("7 Cancle Street, 79104 Freiburg, Germany")[1]
    assert name == "change_shipping_address"
    assert "7 Cancle Street" in str(arguments["address"])
