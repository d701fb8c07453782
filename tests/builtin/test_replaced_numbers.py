"""Which of two numbers a message means: "L-4411 instead of L-4412", "not L-4412 but L-4411"."""

import pytest

from supportbot.builtin.actions.corrections import corrected
from supportbot.builtin.actions.slots import Intent, slots_in
from supportbot.llm.types import ToolSpec
from tests.builtin.action_chat import HUMAN, Chat, catalogue, order

LOAN = {"type": "string", "pattern": "^L-[0-9]{4}$"}
RENEW = ToolSpec("renew_loan", "?", {"type": "object", "properties": {"loan": LOAN}, "required": ["loan"]})
MEANT = [
    ("en", "L-4411 instead of L-4412"), ("en", "instead of L-4412 L-4411 please"), ("en", "not L-4412 but L-4411"),
    ("en", "Please renew L-4411, not the L-4412"), ("en", "No, L-4411 instead of L-4412"),
    ("de", "L-4411 statt L-4412"), ("de", "anstelle von L-4412 bitte L-4411"), ("de", "nicht L-4412, sondern L-4411"),
    ("fr", "L-4411 au lieu de L-4412"), ("fr", "pas L-4412 mais L-4411"), ("fr", "à la place de L-4412, L-4411"),
    ("es", "en vez de L-4412, L-4411"), ("es", "no L-4412 sino L-4411"), ("it", "L-4411 anziché L-4412"),
    ("it", "non L-4412 ma L-4411"), ("nl", "L-4411 in plaats van L-4412"), ("nl", "niet L-4412 maar L-4411"),
    ("pl", "zamiast L-4412 proszę L-4411"), ("pl", "nie L-4412, ale L-4411"), ("pt", "em vez de L-4412, L-4411"),
    ("pt", "não L-4412, mas L-4411"), ("tr", "L-4412 yerine L-4411"), ("tr", "L-4412 değil L-4411"),
    ("ar", "L-4411 بدلا من L-4412"),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "said"), MEANT)
def test_the_number_that_is_meant_is_taken(locale: str, said: str) -> None:
    assert slots_in(RENEW, said, locale=locale).values == {"loan": "L-4411"}


@pytest.mark.parametrize(("locale", "said"), MEANT)
def test_a_card_is_corrected_to_the_number_that_is_meant(locale: str, said: str) -> None:
    def change(card: str) -> dict[str, str]:
        shown = Intent("renew_loan", values={"loan": card}, text=f"renew {card}")
        return corrected(RENEW, shown, said, locale=locale, written_on=None).values

    assert (change("L-4412"), change("L-4411")) == ({"loan": "L-4411"}, {})


# Reports of what happened: a replaced number may be the one that the customer wants.
REPORTS = [
    ("en", "Renew L-4412, you sent L-4411 instead of L-4412"), ("en", "You sent L-4411 instead of L-4412. Renew it."),
    ("en", "L-4412 arrived but not L-4411. Please renew L-4411"), ("en", "I received L-4412, not L-4411"),
    ("en", "I was charged for L-4411 rather than L-4412, please renew"), ("en", "not L-4411 and not L-4412"),
    ("en", "You sent L-4411 instead of the other book L-4412"),
    ("de", "Ich habe L-4411 statt L-4412 bekommen, bitte L-4412 verlängern"),
    ("de", "Bitte L-4412 verlängern, es kam L-4411 anstelle von L-4412"),
    ("de", "Geliefert wurde L-4411, nicht L-4412"),
    ("fr", "J'ai reçu L-4411 au lieu de L-4412, prolongez L-4412 svp"),
    ("fr", "L-4412 est arrivé, mais pas L-4411. Prolongez L-4411 svp"), ("fr", "J'ai eu L-4411 à la place de L-4412"),
]  # fmt: skip


@pytest.mark.parametrize(("locale", "said"), REPORTS)
def test_no_number_is_taken_from_a_report_of_what_happened(locale: str, said: str) -> None:
    assert slots_in(RENEW, said, locale=locale).values == {}


@pytest.mark.parametrize("card", ["L-4411", "L-4412"])
@pytest.mark.parametrize(("locale", "said"), REPORTS)
def test_a_report_of_what_happened_corrects_no_card(locale: str, said: str, card: str) -> None:
    shown = Intent("renew_loan", values={"loan": card}, text=f"renew {card}")
    assert corrected(RENEW, shown, said, locale=locale, written_on=None).values == {}


@pytest.mark.parametrize(("locale", "said"), REPORTS)
def test_a_report_corrects_no_number_in_free_text(locale: str, said: str) -> None:
    free = ToolSpec("renew_loan", "?", {"type": "object", "properties": {"loan": {"type": "string"}}})
    shown = Intent("renew_loan", values={"loan": "L-4412"}, text="renew L-4412")
    assert corrected(free, shown, said, locale=locale, written_on=None).values == {}


@pytest.mark.parametrize(
    ("said", "loan"),
    [
        ("not L-4412", "L-4412"), ("instead of L-4412", "L-4412"), ("L-4411 and L-4412", "L-4411"),
        ("L-4412 by 2027-02-10 instead of 2027-02-03", "L-4412"),
        ("L-4412 to 10117 Berlin, not 10119 Berlin", "L-4412"),
        ("L-4412 costs 200 euros instead of 150 euros", "L-4412"), ("L-4412 for 3 instead of 2 weeks", "L-4412"),
    ],
)  # fmt: skip
def test_a_number_stays_if_no_other_of_its_format_replaces_it(said: str, loan: str) -> None:
    assert slots_in(RENEW, said, locale="en").values == {"loan": loan}


def _chat(locale: str) -> Chat:
    numbers = ("10411", "10412", "10413")
    orders = tuple(order(one, "2026-11-12", "paid, not packed yet", ("PEBBLE", "Pebble stove")) for one in numbers)
    return Chat((HUMAN, *catalogue(locale)), orders, locale)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "Cancel order 10412, you sent me 10411 instead of 10412."),
        ("en", "Order 10412 arrived, not 10411. Cancel order 10411 please."),
        ("en", "You sent 10411 instead of 10412. Cancel the order."),
        ("de", "Bestellung 10412 stornieren, ihr habt mir 10411 statt 10412 geschickt."),
        ("de", "10412 ist angekommen, nicht 10411. Bitte Bestellung 10411 stornieren."),
        ("fr", "Annulez la commande 10412, vous m'avez envoyé 10411 au lieu de 10412."),
        ("fr", "La commande 10412 est arrivée, pas 10411. Annulez la commande 10411 svp."),
    ],
)
def test_the_customer_is_asked_which_order_a_report_concerns(locale: str, said: str) -> None:
    chat = _chat(locale)
    reply, calls = chat.send(said)
    assert (calls, "10411" in reply, "10412" in reply) == ([], True, True)
    assert chat.send("10412")[1] == [("cancel_order", {"order_id": "10412"})]


def test_the_order_that_a_report_concerns_may_be_named_by_its_place() -> None:
    chat = _chat("en")
    chat.send("You sent 10411 instead of 10412. Cancel the order.")
    assert chat.send("the first one")[1] == [("cancel_order", {"order_id": "10411"})]


def test_a_report_in_place_of_an_answer_leaves_the_order_unclear() -> None:
    tool = next(tool for tool in catalogue() if tool.name == "cancel_order")
    said = "The driver brought WF-20413 instead of WF-20412"
    found = slots_in(tool, said, asked="reason", locale="en")
    assert found.order is not None and found.order.is_unclear


def test_an_unclear_order_is_neither_the_only_one_that_allows_it_nor_the_one_named_before() -> None:
    chat = _chat("en")
    chat.orders = [one | {"possible_actions": ["cancel_order"] * (one["id"] == "10411")} for one in chat.orders]
    chat.send("Where is my order 10411?")
    assert chat.send("Cancel it, you sent 10411 instead of 10412")[1] == []


@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "Cancel order 10411 instead of 10412"), ("en", "Please cancel my order 10411, not 10412"),
        ("de", "Bitte Bestellung 10411 stornieren statt 10412"), ("fr", "Annuler la commande 10411 au lieu de 10412"),
    ],
)  # fmt: skip
def test_an_order_that_replaces_another_is_requested_once(locale: str, said: str) -> None:
    assert _chat(locale).send(said)[1] == [("cancel_order", {"order_id": "10411"})]


def test_the_customer_is_asked_if_several_orders_may_replace_one() -> None:
    assert _chat("en").send("Please cancel order 10411 and cancel order 10413, not 10412")[1] == []


def test_an_amount_that_replaces_another_in_a_report_is_asked_for() -> None:
    assert _chat("en").send("Refund 10412: you took 200 euros instead of 150 euros")[1] == []


def test_a_day_is_denied_although_it_has_many_digits() -> None:
    move = ToolSpec("move_visit", "?", {"type": "object", "properties": {"day": {"type": "string", "format": "date"}}})
    shown = Intent("move_visit", values={"day": "2026-11-04"}, text="visit on 2026-11-04")
    said = "Please move it to 2026-11-05, not 2026-11-04"
    assert corrected(move, shown, said, locale="en", written_on=None).values == {"day": "2026-11-05"}


def test_a_number_that_becomes_unclear_replaces_the_one_known_before() -> None:
    known = Intent("renew_loan", values={"loan": "L-4410"}, text="renew L-4410")
    merged = known.merged_with(slots_in(RENEW, "You sent L-4411 instead of L-4412", locale="en"))
    assert (merged.values, merged.unclear) == ({}, ("loan",))


def test_each_unclear_number_is_asked_for() -> None:
    properties = {
        "note": {"type": "string", "title": "Note"},
        "loan": LOAN | {"title": "Loan"},
        "card": {"type": "string", "pattern": "^M-[0-9]{4}$", "title": "Card"},
    }
    schema = {"type": "object", "properties": properties, "required": ["note", "loan"]}
    examples = ("Please renew my loan", "I want to renew a loan", "Renew loan L-4411", "Can you renew my book?")
    chat = Chat(tools=(HUMAN, ToolSpec("renew_loan", "Renew.", schema, title="Renew a loan", examples=examples)))
    said = "Please renew my loan. You sent L-4411 instead of L-4412 and M-1111 instead of M-2222."
    assert chat.send(said)[0].startswith("Please enter: Loan.")
    assert chat.send("L-4412")[0].startswith("Please enter: Card.")
    assert chat.send("M-2222")[0].startswith("Please enter: Note.")
    assert chat.send("by Friday")[1] == [("renew_loan", {"loan": "L-4412", "card": "M-2222", "note": "by Friday"})]
