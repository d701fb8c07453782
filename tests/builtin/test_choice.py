"""Which sentences the built-in answerer quotes when several of them speak of the subject."""

from typing import Any

import pytest

from supportbot.builtin.answerer import reply_to
from supportbot.builtin.meaning import CANDIDATES, worth_comparing
from supportbot.builtin.phrases import say
from supportbot.llm.extractive.words import stem
from supportbot.llm.types import ModelRequest, Source

DRYER = "Without a dryer, hang the jacket up to dry."
WOOL = "Do not put the base layer into the dryer."
BOTH = Source(1, "Washing", f"{DRYER} {WOOL}", "en")


def request(question: str, *sources: Source, **changes: Any) -> ModelRequest:
    return ModelRequest("answer", (), question=question, sources=sources, **changes)


def answer(question: str, *sources: Source, **changes: Any) -> str:
    return reply_to(request(question, *sources, **changes)).text


def test_of_sentences_with_the_same_words_the_nearer_in_meaning_is_quoted() -> None:
    asked = "can the Alder go in the dryer"
    assert answer(asked, BOTH, nearness={DRYER: 0.81, WOOL: 0.88}) == f"{WOOL} [1]"
    assert answer(asked, BOTH, nearness={DRYER: 0.88, WOOL: 0.81}) == f"{DRYER} [1]"


def test_nearness_counts_the_same_in_every_model_s_band() -> None:
    asked = "can the Alder go in the dryer"
    narrow = answer(asked, BOTH, nearness={DRYER: 0.861, WOOL: 0.864})
    assert narrow == answer(asked, BOTH, nearness={DRYER: -0.2, WOOL: 0.7}) == f"{WOOL} [1]"


def test_nearness_that_is_all_the_same_decides_nothing() -> None:
    asked = "can the Alder go in the dryer"
    assert answer(asked, BOTH, nearness={DRYER: 0.5, WOOL: 0.5}) == answer(asked, BOTH)


@pytest.mark.parametrize("strong", [1, 2])
def test_of_equal_sentences_the_one_that_search_stands_by_is_quoted(strong: int) -> None:
    weights = {1: 0.3, 2: 0.3} | {strong: 1.0}
    sources = (
        Source(1, "Repairs", "A zip is repaired within ten days.", "en", weight=weights[1]),
        Source(2, "Repairs", "A zip is repaired within two days.", "en", weight=weights[2]),
    )
    assert answer("zip repaired", *sources).startswith(f"A zip is repaired within {('ten', 'two')[strong - 1]} days.")


def test_a_follow_up_is_answered_by_what_was_looked_up() -> None:
    source = Source(1, "Delivery", "Delivery to Austria takes 4 days. Delivery to Switzerland takes 6 days.", "en")
    looked_up = "Do you ship to Switzerland? and how long?"
    assert answer("and how long?", source, looked_up=looked_up).startswith("Delivery to Switzerland")


def test_a_further_sentence_about_something_else_is_left_out() -> None:
    source = Source(
        1,
        "Gift cards",
        "A gift card is valid for three years. A gift card comes by e-mail. A voucher card is no gift card.",
        "en",
    )
    assert answer("how long is a gift card valid", source) == "A gift card is valid for three years. [1]"


def test_the_best_paragraph_comes_before_what_else_answers() -> None:
    source = Source(
        1,
        "Proofing",
        "Proofing spray protects the jacket. It smells.\n\nProofing the jacket is needed after 20 washes.",
        "en",
    )
    near = {
        "Proofing spray protects the jacket.": 0.80,
        "Proofing the jacket is needed after 20 washes.": 0.85,
        "It smells.": 0.2,
    }
    text = answer("proofing jacket", source, nearness=near)
    assert text == "Proofing the jacket is needed after 20 washes. [1] Proofing spray protects the jacket. [1]"


@pytest.mark.parametrize(
    "noise",
    [
        "- [Delete a device](/delete)\n- [Add a device](/add)",
        "```\ndelete a device --now\n```",
        "To delete a device:\n\n![menu](menu.png)",
        "Learn how to delete a device.",
        "In this article: delete a device.",
        "Siehe auch: delete a device.",
    ],
)
def test_pointers_code_and_cut_off_leads_are_not_quoted(noise: str) -> None:
    source = Source(1, "Devices", f"{noise}\n\nPress the bin beside a device and it is gone.", "en")
    assert answer("delete a device", source) == "Press the bin beside a device and it is gone. [1]"


def test_a_date_answers_how_long() -> None:
    source = Source(1, "Karten", "Die Karte ist hübsch verpackt.\n\nDie Karte gilt bis 31. Dezember.", "de")
    assert answer("Wie lange hält die Karte?", source).startswith("Die Karte gilt bis 31. Dezember. [1]")


@pytest.mark.parametrize(
    ("form", "verb"),
    [
        ("zurückzuschicken", "zurückschicken"),
        ("zurückgeschickt", "zurückschicken"),
        ("abgelehnt", "ablehnen"),
        ("umzutauschen", "umtauschen"),
        ("ausgegeben", "ausgeben"),
    ],
)
def test_parted_verbs_are_one_word(form: str, verb: str) -> None:
    assert stem(form) == stem(verb)


def test_few_sentences_are_worth_comparing_each_in_its_place() -> None:
    body = "## Cost\n\n" + " ".join(f"Repair number {number} of the zip costs money." for number in range(20))
    texts = worth_comparing(request("what does a zip repair cost", Source(1, "Zips", body, "en")))
    assert len(texts) == CANDIDATES
    assert texts["Repair number 0 of the zip costs money."] == "Zips\nCost\nRepair number 0 of the zip costs money."


def test_nothing_is_worth_comparing_where_nothing_is_quoted() -> None:
    assert worth_comparing(request("anything", BOTH, is_answerable=False)) == {}
    assert worth_comparing(request("anything")) == {}


def test_an_answerable_question_with_a_sentence_is_never_not_found() -> None:
    assert answer("qwertz", Source(1, "Zips", "A zip costs money.", "en")) != say("not_found", "en")


def test_a_sentence_that_announces_a_table_comes_with_it() -> None:
    table = "## Dates\n\n| To | Order by |\n|---|---|\n| Austria | 14 December |\n| Germany | 16 December |\n"
    source = Source(1, "Holidays", f"Here are the last days to order before Christmas.\n\n{table}", "en")
    assert answer("last day to order before christmas", source) == (
        "Here are the last days to order before Christmas. [1]\n"
        "To: Order by [1]\n- Austria: 14 December [1]\n- Germany: 16 December [1]"
    )
    plain = Source(1, "Holidays", f"The last days to order before Christmas come soon.\n\n{table}", "en")
    assert answer("last day to order before christmas", plain).count("[1]") == 1


def test_two_pages_that_say_a_thing_in_the_same_words_say_it_once() -> None:
    one = Source(1, "Costs", "Delivery to Switzerland takes 4 to 6 working days and always costs €14.90.", "en")
    two = Source(2, "Abroad", "Delivery to Switzerland takes 4 to 6 working days and costs €14.90.", "en")
    assert answer("What does delivery to Switzerland cost?", one, two).count("€14.90") == 1


def test_a_figure_answers_who_asks_for_one() -> None:
    page = "Our warranty holds for all we make.\n\n| Repair | Price |\n|---|---|\n| New soles for boots | €75 |\n"
    source = Source(1, "Warranty", page, "en")
    assert answer("What warranty do I have on boots?", source).startswith("Our warranty holds")
    assert "New soles for boots: €75" in answer("How much are new soles for boots?", source)


def test_how_long_something_takes_finds_no_taking_back() -> None:
    page = "We refund within 5 days of the return. After 60 days we cannot take an item back for a refund."
    assert answer("How long do refunds take?", Source(1, "Refunds", page, "en")).startswith("We refund within 5 days")


def test_a_sentence_about_the_page_is_never_the_answer_where_there_is_another() -> None:
    page = "This page says what shipping costs. Within Germany you pay €4.90."
    assert answer("how much is shipping", Source(1, "Costs", page, "en")).startswith("Within Germany")


def test_an_item_that_answers_alone_is_a_sentence() -> None:
    page = "Returns are free.\n\n- Trying boots on indoors is fine; marks from outdoor use on the boots are not fine.\n"
    assert answer("May I try boots on indoors?", Source(1, "Returns", page, "en")).startswith("Trying boots on")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("You can return worn shoes for free in Germany.", "You can not return worn shoes for free in Germany."),
        ("Shipping to Austria costs €6.90.", "Shipping to Belgium costs €6.90."),
        ("Shipping to Austria costs €6.90.", "Shipping to Austria costs €9.90."),
    ],
)
def test_sentences_that_differ_in_the_word_that_matters_are_two(one: str, two: str) -> None:
    asked = f"{one} {two}"
    said = answer(asked, Source(1, "Rules", one, "en"), Source(2, "Rules", two, "en"))
    assert one in said and two in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("| Country | 5 |", "Country: 5"),
        ("| Is it ok? | Yes | |", "Is it ok? Yes"),
        ("| A | | 5 |", "A: 5"),
        ("| Zip | |", "Zip"),
    ],
)
def test_a_row_is_read_aloud(row: str, said: str) -> None:
    page = f"| What | How much |\n|---|---|\n{row}\n"
    asked = "how much " + " ".join(row.replace("|", " ").split())
    assert f"- {said} [1]" in answer(asked, Source(1, "Table", page, "en"))


def test_a_no_that_nobody_asked_about_comes_after_a_yes() -> None:
    no, yes = "Worn boots cannot go to another country.", "Worn boots can go back for another size."
    source = Source(1, "Boots", f"{no} {yes}", "en")
    assert answer("Can worn boots go back?", source).startswith(yes)
    assert answer("Where can worn boots not go?", source).startswith(no)


def test_what_a_no_excepts_is_no_answer_against_it() -> None:
    no, yes = "We do not ship to countries outside Austria and Spain.", "We deliver to Austria and to Spain."
    source = Source(1, "Abroad", f"{no} {yes}", "en")
    assert answer("Do you ship to Spain?", source).startswith(yes)
    nein, ja = "Wir liefern nicht in Länder außerhalb von Polen und Spanien.", "Wir liefern nach Polen und Spanien."
    assert answer("Liefern Sie nach Spanien?", Source(1, "Ausland", f"{nein} {ja}", "de"), locale="de").startswith(ja)


@pytest.mark.parametrize("question", ["What is your return policy?", "returns?", "RETURNS"])
def test_who_asks_for_the_whole_hears_how_a_page_begins(question: str) -> None:
    page = "You can return anything within 60 days.\n\n## How to return\n\n1. Choose *Return*.\n2. Print the label."
    assert answer(question, Source(1, "Returns", page, "en")).startswith("You can return anything within 60 days.")


def test_a_follow_up_s_own_words_count_for_more() -> None:
    sources = (
        Source(1, "Delivery", "Delivery to Austria takes three days.", "en"),
        Source(2, "Delivery", "Delivery to Spain takes six days.", "en"),
    )
    whole = "How long does delivery to Austria take? And to Spain?"
    assert answer("And to Spain?", *sources, looked_up=whole).startswith("Delivery to Spain")


def test_a_sentence_that_answers_nearly_as_well_is_quoted_too() -> None:
    first, second = "A parcel to Austria takes three days.", "A parcel to Austria is insured."
    sources = (Source(1, "Times", first, "en", weight=1.0), Source(2, "Insurance", second, "en", weight=0.5))
    assert answer("parcel to Austria", *sources) == f"{first} [1] {second} [2]"


def test_what_stands_beside_the_best_comes_before_what_stands_elsewhere() -> None:
    best, beside = "A parcel to Austria takes three days.", "Each parcel for Austria is insured."
    sources = (
        Source(1, "Parcel to Austria", f"{best} {beside}", "en", weight=1.0),
        Source(2, "Parcel to Austria", "A parcel to Austria costs six euro.", "en", weight=1.0),
        Source(3, "Parcel to Austria", "A parcel to Austria needs no papers.", "en", weight=1.0),
    )
    assert answer("parcel to Austria by air", *sources).startswith(f"{best} [1] {beside} [1]")
