"""An open card that a customer corrects in words, in every language of the built-in answerer."""

from datetime import date
from typing import Any

import pytest

from supportbot.builtin.phrases import say
from supportbot.llm.types import REPLACES_CARD, ToolSpec
from tests.builtin.action_chat import HUMAN, WITHDRAW, Chat, catalogue

BOOK = ToolSpec(
    "book_table", "?",
    {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "guests": {"type": "integer", "minimum": 1, "maximum": 12},
            "place": {"type": "string", "enum": ["inside", "terrace"]},
            REPLACES_CARD: {"type": "boolean"},
        },
        "required": ["day", "guests", "place"],
    },
    title="Book a table", examples=("I would like to book a table", "Please book a table", "Bitte einen Tisch buchen"),
    option_labels={"place": {"inside": "Inside", "terrace": "On the terrace"}},
)  # fmt: skip
RENEW = ToolSpec(
    "renew_loan", "?",
    {
        "type": "object",
        "properties": {"loan": {"type": "string"}, REPLACES_CARD: {"type": "boolean"}},
        "required": ["loan"],
    },
    title="Renew a loan", examples=("Please renew my loan", "I want to keep the book longer"),
)  # fmt: skip
CARD = {"day": "2027-03-05", "guests": 4, "place": "inside"}


def booked(locale: str = "en") -> Chat:
    """Return a chat with an open card for a table."""
    chat = Chat(tools=(HUMAN, WITHDRAW, BOOK), orders=(), locale=locale, today=date(2027, 2, 20))
    chat.send("I would like to book a table")
    chat.send("2027-03-05")
    chat.send("4")
    assert chat.send("Inside")[1] == [("book_table", CARD)]
    return chat


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "I meant the 27th"), ("en", "sorry, the 27th of March"), ("en", "no, on 27 March please"),
        ("de", "Ich meinte den 27."), ("de", "nein, am 27. bitte"), ("fr", "non, le 27 s'il vous plaît"),
        ("fr", "je voulais dire le 27 mars"), ("es", "quería decir el 27"), ("it", "volevo dire il 27"),
        ("nl", "ik bedoelde de 27e"), ("pl", "chodziło mi o 27 marca"), ("pt", "eu quis dizer dia 27"),
        ("tr", "27'sini demek istedim"), ("ar", "قصدت يوم 27"),
    ],
)  # fmt: skip
def test_another_day_makes_a_new_card(locale: str, said: str) -> None:
    assert booked(locale).send(said)[1] == [("book_table", {**CARD, "day": "2027-03-27", REPLACES_CARD: True})]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "make it 2 of them"), ("en", "no, two guests"), ("de", "doch nur 2 Personen"),
        ("fr", "plutôt 2 personnes"), ("es", "mejor 2 personas"), ("it", "facciamo 2 persone"),
        ("nl", "toch maar 2 personen"), ("pl", "jednak 2 osoby"), ("pt", "afinal 2 pessoas"), ("tr", "2 kişi olsun"),
        ("ar", "بل 2 أشخاص"),
    ],
)  # fmt: skip
def test_another_number_makes_a_new_card(locale: str, said: str) -> None:
    assert booked(locale).send(said)[1] == [("book_table", {**CARD, "guests": 2, REPLACES_CARD: True})]


def test_another_choice_makes_a_new_card_even_after_a_no() -> None:
    assert booked().send("no, on the terrace")[1] == [("book_table", {**CARD, "place": "terrace", REPLACES_CARD: True})]


def test_a_card_is_corrected_again_and_again() -> None:
    chat = booked()
    chat.send("I meant the 27th")
    _, [(_, arguments)] = chat.send("and make it 2 guests")
    assert (arguments["day"], arguments["guests"]) == ("2027-03-27", 2)


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("locale", "said", "changed"),
    [
        ("en", "27", {"day": "2027-03-27"}), ("de", "27", {"day": "2027-03-27"}), ("en", "7", {"guests": 7}),
        ("en", "the 7th", {"day": "2027-03-07"}), ("en", "We are 5.", {"guests": 5}),
        ("en", "not the 5th but the 27th", {"day": "2027-03-27"}),
        ("en", "the 27th, not the 5th", {"day": "2027-03-27"}), ("en", "not 4, 2", {"guests": 2}),
        ("de", "nicht am 5., sondern am 27.", {"day": "2027-03-27"}),
        ("de", "nicht am 5. März, sondern am 27. März", {"day": "2027-03-27"}),
        ("fr", "pas le 5 mars, le 27 mars", {"day": "2027-03-27"}),
        ("es", "no el 5, sino el 27 de marzo", {"day": "2027-03-27"}),
        ("it", "non il 5 ma il 27 marzo", {"day": "2027-03-27"}), ("nl", "niet 4 maar 2 personen", {"guests": 2}),
        ("pl", "nie 5 marca, ale 27 marca", {"day": "2027-03-27"}), ("pt", "não 4, mas 2 pessoas", {"guests": 2}),
        ("tr", "4 kişi değil, 2 kişi", {"guests": 2}), ("en", "2 not 4", {"guests": 2}),
        ("en", "not 4 - 2", {"guests": 2}), ("de", "Nein nicht am 5. Am 27.", {"day": "2027-03-27"}),
    ],
)  # fmt: skip
def test_only_the_wanted_value_changes_the_card(locale: str, said: str, changed: dict[str, Any]) -> None:
    assert booked(locale).send(said)[1] == [("book_table", {**CARD, **changed, REPLACES_CARD: True})]


@pytest.mark.parametrize("said", ["no", "no thanks", "never mind"])
def test_a_no_alone_still_withdraws_the_card(said: str) -> None:
    assert booked().send(said)[1] == [("withdraw_cards", {})]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "said",
    [
        "thanks",
        "yes please",
        "How many guests can you take?",
        "Is the 27th a holiday?",
        "on the 31st at 19:30, 12 € each?",
        "We are 4.",
        "not the 27th",
        "not 2 guests",
        "not on the terrace, not 2 of us",
    ],
)
def test_a_message_without_another_value_corrects_nothing(said: str) -> None:
    assert booked().send(said)[1] == []


def visiting(locale: str) -> Chat:
    """Return a chat with an open card for the 5th of March and no number on it."""
    day = {"type": "string", "format": "date"}
    shape = {"type": "object", "properties": {"day": day, REPLACES_CARD: {"type": "boolean"}}, "required": ["day"]}
    visit = ToolSpec("visit", "?", shape, title="Visit us", examples=("I would like to visit you", "Besuch anmelden"))
    chat = Chat(tools=(HUMAN, WITHDRAW, visit), orders=(), locale=locale, today=date(2027, 2, 20))
    chat.send("I would like to visit you")
    assert chat.send("2027-03-05")[1] == [("visit", {"day": "2027-03-05"})]
    return chat


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "We are 4."), ("en", "We are 4. Thanks!"), ("en", "not the 27th"), ("de", "nicht der 27."),
        ("en", "We are bringing 2 dogs"), ("en", "No, we are bringing 2 dogs"), ("en", "table 9 was nice"),
        ("de", "Wir bringen 2 Hunde mit"), ("en", "it is a 2h drive"), ("fr", "nous avons 2 chiens"),
        ("de", "Wir sind 4."), ("de", "Wir sind 4. Danke!"), ("de", "Zimmer 27."), ("de", "Ich bin 27."),
        ("de", "Mein Sohn wird 12."), ("en", "27 ?"), ("en", "27?"),
        ("de", "am 27. geht es nicht"), ("de", "weder am 5. noch am 27."), ("en", "the 5th not the 27th"),
        ("en", "neither the 5th nor the 27th"), ("es", "no quiero el 27"), ("es", "no estoy el 27"),
        ("de", "der 2. Gast kommt später"), ("de", "Der 2. Gast kommt später."), ("de", "der 2. gast kommt später"),
        ("de", "Am 2. Tisch bitte"), ("de", "nein, den 2. Gang ohne Nüsse"), ("en", "the 2nd guest comes later"),
        ("en", "No, the 3rd floor"), ("nl", "de 2e gast komt later"), ("fr", "le 2e invité arrive plus tard"),
        ("es", "el 2º invitado llega más tarde"), ("it", "il 2º ospite arriva dopo"),
        ("pt", "o 2º convidado chega mais tarde"),
        ("it", "non il 27"), ("es", "No el 5"), ("en", "I can't come if the 27th is a holiday"),
    ],
)  # fmt: skip
def test_a_number_that_counts_something_is_not_a_day(locale: str, said: str) -> None:
    assert not [name for name, _ in visiting(locale).send(said)[1] if name == "visit"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("locale", "said"),
    [("en", "I meant 27"), ("en", "no, 27"), ("en", "the 27th"), ("en", "27."), ("en", "27"), ("de", "Am 27."),
     ("de", "27. bitte"), ("es", "No el 27"), ("de", "Nein nicht am 5. Am 27."),
     ("en", "The 5th isn't possible so the 27th please"), ("en", "the 27th if that's not a problem"),
     ("en", "27th not 5th"), ("en", "the 27th works better"), ("en", "the 27th pls"), ("en", "The 27th, guests or not"),
     ("de", "der 27. passt besser"), ("de", "Am 27. Danke!"), ("de", "am 27. kommen wir lieber"),
     ("de", "den 27. bitte, der 2. Gast kommt später"), ("nl", "de 27e past beter")],
)  # fmt: skip
def test_a_day_of_the_month_moves_the_card(locale: str, said: str) -> None:
    assert visiting(locale).send(said)[1] == [("visit", {"day": "2027-03-27", REPLACES_CARD: True})]


def test_a_bare_number_moves_the_card_only_as_the_first_message_after_it() -> None:
    chat = visiting("en")
    chat.send("Do you have a car park?")
    assert [name for name, _ in chat.send("27")[1] if name == "visit"] == []
    assert chat.send("the 27th")[1] == [("visit", {"day": "2027-03-27", REPLACES_CARD: True})]


def test_a_value_that_the_customer_excludes_is_not_a_correction() -> None:
    assert booked().send("no, not on the terrace")[1] in ([], [("withdraw_cards", {})])
    chat = Chat(tools=(HUMAN, WITHDRAW, *catalogue()))
    chat.send("Refund 10 euros for WF-20404")
    assert chat.send("No, not the last one")[1] == [("withdraw_cards", {})]


@pytest.mark.parametrize("said", ["not order WF-20405", "no, not WF-20418", "I don't want WF-20418"])
def test_a_record_that_the_customer_excludes_gets_no_card(said: str) -> None:
    chat = Chat(tools=(HUMAN, WITHDRAW, *catalogue()))
    chat.send("Refund 10 euros for WF-20404")
    assert chat.send(said)[1] in ([], [("withdraw_cards", {})])


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "said",
    [
        "not L-4411 but L-4412", "Not L-4411. I meant L-4412.", "L-4412 not L-4411", "nicht L-4411. L-4412 bitte",
        "not L-4411\nL-4412", "not L-4411 - L-4412", "not L-4411 -> L-4412", "not L-4411? L-4412",
        "L-4411 is not what I have it is L-4412",
    ],
)  # fmt: skip
def test_a_wanted_record_is_recognised_next_to_an_excluded_one(said: str) -> None:
    assert renewed().send(said)[1] == [("renew_loan", {"loan": "L-4412", REPLACES_CARD: True})]


@pytest.mark.parametrize("said", ["not L-4412", "L-4411 not L-4412", "L-4412 is not what I have"])
def test_a_denied_record_changes_nothing(said: str) -> None:
    assert renewed().send(said)[1] == []


@pytest.mark.parametrize("said", ["der 2. Gast kommt später", "der 2. gast kommt später"])
def test_an_ordinal_number_is_not_a_quantity(said: str) -> None:
    assert booked("de").send(said)[1] == []


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    ("locale", "said"),
    [
        ("en", "L-4411, nothing to do with L-4412"), ("en", "L-4411 has nothing to do with L-4412"),
        ("en", "there is nothing wrong with L-4412"), ("en", "never L-4412"),
        ("de", "L-4411, nichts mit L-4412 zu tun"),
        ("fr", "L-4411, rien à voir avec L-4412"), ("es", "L-4411, nada que ver con L-4412"),
        ("it", "L-4411, niente a che fare con L-4412"), ("nl", "L-4411, niets te maken met L-4412"),
        ("pt", "L-4411, nada a ver com L-4412"), ("pl", "L-4411, nic wspólnego z L-4412"),
    ],
)  # fmt: skip
def test_a_record_unrelated_to_the_request_changes_nothing(locale: str, said: str) -> None:
    assert renewed(locale).send(said)[1] == []


@pytest.mark.parametrize("said", ["L-4412, nothing to do with L-4411", "No L-4412", "L-4411 no sorry L-4412"])
def test_a_wanted_record_is_recognised_next_to_the_word_nothing(said: str) -> None:
    assert renewed().send(said)[1] == [("renew_loan", {"loan": "L-4412", REPLACES_CARD: True})]


def test_a_day_that_does_not_exist_in_its_month_corrects_nothing() -> None:
    chat = Chat(tools=(HUMAN, BOOK), orders=(), today=date(2027, 1, 20))
    for text in ("I would like to book a table", "2027-02-05", "4", "Inside"):
        chat.send(text)
    assert chat.send("I meant the 31st")[1] == []


def renewed(locale: str = "en") -> Chat:
    chat = Chat(tools=(HUMAN, RENEW), orders=(), locale=locale)
    chat.send("Please renew my loan")
    assert chat.send("L-4411")[1] == [("renew_loan", {"loan": "L-4411"})]
    return chat


def test_another_number_in_the_same_form_makes_a_new_card() -> None:
    assert renewed().send("no, I meant L-4412")[1] == [("renew_loan", {"loan": "L-4412", REPLACES_CARD: True})]


def test_a_further_record_leaves_the_card_open() -> None:
    _, calls = renewed().send("and also L-4412")
    assert calls in ([("renew_loan", {"loan": "L-4412"})], [])


def test_another_order_replaces_the_card_if_the_tool_allows_it() -> None:
    def replaceable(tool: ToolSpec) -> ToolSpec:
        properties: dict[str, Any] = {**tool.parameters["properties"], REPLACES_CARD: {"type": "boolean"}}
        return ToolSpec(
            tool.name, tool.description, {**tool.parameters, "properties": properties}, title=tool.title,
            examples=tool.examples, is_read=tool.is_read, from_chat=tool.from_chat,
        )  # fmt: skip

    chat = Chat(tools=(HUMAN, *map(replaceable, catalogue())))
    chat.send("Refund 10 euros for WF-20404")
    _, [(_, arguments)] = chat.send("no, I meant WF-20418")
    assert (arguments["order_id"], arguments["amount"], arguments[REPLACES_CARD]) == ("WF-20418", "10", True)


def test_the_argument_that_replaces_a_card_is_never_asked_for() -> None:
    chat = Chat(tools=(HUMAN, RENEW), orders=())
    assert chat.send("Please renew my loan")[0] == say("other", "en", part="Loan")
