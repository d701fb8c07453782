"""Which pieces of the passages the built-in answerer quotes, how much of them, and in which form."""

from dataclasses import replace
from typing import Any

import pytest

from supportbot.builtin import ranking
from supportbot.builtin.answer_types import lacks_figure
from supportbot.builtin.answerer import reply_to
from supportbot.builtin.phrases import say
from supportbot.builtin.quotable_pieces import pieces_of
from supportbot.builtin.quoting import MAX_CHARACTERS, MAX_LINES
from supportbot.builtin.ranking import CHARACTERS_COMPARED, MAX_COMPARED, worth_comparing
from supportbot.llm.types import ModelRequest, Source

DRYER = "Without a dryer, hang the jacket up to dry."
WOOL = "Do not put the base layer into the dryer."
BOTH = Source(1, "Washing", f"{DRYER}\n\n{WOOL}", "en")
ASKED = "can the Alder go in the dryer"


def request(question: str, *sources: Source, **changes: Any) -> ModelRequest:
    return ModelRequest("answer", (), question=question, sources=sources, **changes)


def answer(question: str, *sources: Source, **changes: Any) -> str:
    return reply_to(request(question, *sources, **changes)).text


def first(question: str, *sources: Source, **changes: Any) -> str:
    """Return the piece ranked first of two; the words of the other one rank it far behind."""
    return answer(question, *sources, **changes).split("\n\n")[0]


def test_the_more_similar_one_of_pieces_with_the_same_words_is_quoted() -> None:
    elsewhere = Source(2, "Washing", WOOL, "en")
    sources = (Source(1, "Washing", DRYER, "en"), elsewhere)
    assert first(ASKED, *sources, similarities={DRYER: 0.81, WOOL: 0.88}) == f"{WOOL} [2]"
    assert first(ASKED, *sources, similarities={DRYER: 0.88, WOOL: 0.81}) == f"{DRYER} [1]"


def test_similarity_is_scaled_to_each_models_band() -> None:
    narrow = answer(ASKED, BOTH, similarities={DRYER: 0.861, WOOL: 0.864})
    assert narrow == answer(ASKED, BOTH, similarities={DRYER: -0.2, WOOL: 0.7})


def test_a_turn_compares_the_words_of_each_passage_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ranking.scored_by_words.cache_clear()  # it may contain the scores of other tests
    split: list[Source] = []
    monkeypatch.setattr(ranking, "pieces_of", lambda source: split.append(source) or pieces_of(source))
    asked = request("how long can the Alder go in the dryer", BOTH)
    texts = worth_comparing(asked)
    measured = replace(asked, similarities=dict(zip(texts, (0.9, 0.8), strict=True)))
    lacks_figure(measured)
    reply_to(measured)
    assert split == [BOTH]


def test_equal_similarities_decide_nothing() -> None:
    assert answer(ASKED, BOTH, similarities={DRYER: 0.5, WOOL: 0.5}) == answer(ASKED, BOTH)


@pytest.mark.parametrize("strong", [1, 2])
def test_equal_pieces_are_quoted_in_the_order_of_their_search_scores(strong: int) -> None:
    weights = {1: 0.3, 2: 0.3} | {strong: 1.0}
    sources = (
        Source(1, "Repairs", "A zip is repaired within ten days.", "en", weight=weights[1]),
        Source(2, "Repairs", "A zip is repaired within two days.", "en", weight=weights[2]),
    )
    assert answer("zip repaired", *sources).startswith(f"A zip is repaired within {('ten', 'two')[strong - 1]} days.")


def test_a_paragraph_is_quoted_whole() -> None:
    page = "A gift card is valid for three years. It comes by e-mail. Nobody can pay it out."
    text = answer("how long is a gift card valid", Source(1, "Gift cards", page, "en"))
    assert text == "A gift card is valid for three years. [1] It comes by e-mail. [1] Nobody can pay it out. [1]"


def test_a_long_paragraph_is_cut_around_its_answer_with_a_note() -> None:
    noise = " ".join(f"Tents number {number} are made of strong and light cloth by hand." for number in range(20))
    text = answer("who makes zips", Source(1, "Tents", f"{noise} Zips are made in Italy. {noise}", "en"))
    assert "Zips are made in Italy. [1]" in text
    assert text.endswith(say("goes_on", "en"))
    assert len(text) < MAX_CHARACTERS + 200


def test_a_long_list_is_quoted_in_part_with_its_lead() -> None:
    items = "\n".join(f"- Part number {number} of the tent" for number in range(30))
    text = answer("which parts", Source(1, "Parts", f"These parts are sold:\n\n{items}", "en"))
    assert text.startswith("These parts are sold: [1]\n- Part number 0 of the tent [1]")
    assert text.count("\n- ") == MAX_LINES
    assert text.endswith(f"\n{say('goes_on', 'en')}")


def test_a_list_without_a_lead_is_quoted_under_its_heading() -> None:
    page = "## How to return\n\n1. Print the label.\n2. Drop the parcel off."
    text = answer("how do I print the label", Source(1, "Returns", page, "en"))
    assert text == "How to return: [1]\n1. Print the label. [1]\n2. Drop the parcel off. [1]"


def test_a_heading_outside_the_passage_is_not_cited() -> None:
    source = Source(
        1, "Vouchers", "- Its date has passed.\n- It was used before.", "en", heading="Why a code is refused"
    )
    text = answer("my code is refused, was it used before", source)
    assert text == "Why a code is refused:\n- Its date has passed. [1]\n- It was used before. [1]"


def test_an_item_is_quoted_with_its_sub_items() -> None:
    page = "- Boots\n  - Cairn, in leather\n- Tents"
    text = answer("boots in leather", Source(1, "Goods", page, "en"))
    assert text == "- Boots [1]\n  - Cairn, in leather [1]\n- Tents [1]"


def test_a_listing_is_quoted_in_its_fence() -> None:
    page = "Reset the device with this command:\n\n```\nreset --now\n```"
    text = answer("reset the device", Source(1, "Devices", page, "en"))
    assert text == "Reset the device with this command: [1]\n```\nreset --now\n```\n[1]"


def test_two_pieces_of_one_passage_are_in_reading_order() -> None:
    page = "You can return anything within 60 days.\n\nReturn anything from the sale within 60 days, too."
    text = answer("How long can I return anything from the sale?", Source(1, "Returns", page, "en"))
    assert text.startswith("You can return anything within 60 days. [1]\n\nReturn anything from the sale")


GIFT, ANYTHING = "A gift can be returned within 30 days.", "You can return anything within 30 days."


@pytest.mark.parametrize(
    ("question", "title", "said"),
    [
        ("How long can I return things?", "Returning a gift", ANYTHING),
        ("How long can I return a gift?", "Returning a gift", GIFT),
        ("How long can I return things?", "Returns", GIFT),  # its title names no special case
    ],
)
def test_the_general_rule_comes_before_a_special_case(question: str, title: str, said: str) -> None:
    sources = (
        Source(1, title, GIFT, "en", weight=1.0),
        Source(2, "Returns and refunds", ANYTHING, "en", weight=0.9),
        Source(3, "Parcels", "A refund is paid when the parcel has come back.", "en", weight=0.1),
    )
    assert first(question, *sources).startswith(said)


ABROAD = "We do not ship to Norway or to islands. Without a customs form, Germany sends parcels back."
EVERYWHERE = "We deliver to Germany, Austria and Switzerland. Shipping is free."
FOOD, RETURNS = "Opened food cannot be returned.", "You can return anything within 60 days of delivery."
SHIPPED = "An order cannot be cancelled after shipping."
UNPACKED = "You can cancel an order in your account until it is packed."


REPAIRS = "A zip is repaired for free."


def first_of_two(question: str, best: str, second: str, locale: str = "en", near: float = 0.87) -> str:
    """Return the first piece quoted of two, the second of which is less similar to the question, but more than a third
    one is.
    """
    texts = (best, second, REPAIRS)
    sources = tuple(Source(number, "Page", text, locale) for number, text in enumerate(texts, 1))
    similarities = {text.replace(". ", ".\n"): value for text, value in zip(texts, (0.9, near, 0.7), strict=True)}
    said = answer(question, *sources, locale=locale, similarities=similarities)
    assert "[1]" in said and "[2]" in said
    return best if said.split("\n\n")[0].endswith("[1]") else second


@pytest.mark.parametrize(
    ("question", "excluding", "rule"),
    [
        ("Do you ship to Germany?", ABROAD, EVERYWHERE),
        ("How long can I return things?", FOOD, RETURNS),
        ("Can I return something?", FOOD, RETURNS),
        ("How do I cancel an order?", SHIPPED, UNPACKED),
        ("Can I return this?", "No returns on opened food.", RETURNS),
    ],
)
def test_a_rule_comes_before_its_exclusions(question: str, excluding: str, rule: str) -> None:
    assert first_of_two(question, excluding, rule, near=0.78) == rule


@pytest.mark.parametrize(
    ("question", "excluding", "rule", "locale"),
    [
        ("Do you ship to Norway?", ABROAD, EVERYWHERE, "en"),
        ("Where do you not ship in Germany?", ABROAD, EVERYWHERE, "en"),
        ("Can I return opened food?", FOOD, RETURNS, "en"),
        ("Can I cancel an order after shipping?", SHIPPED, UNPACKED, "en"),
        (
            "Liefern Sie nach Norwegen?",
            "Nach Norwegen liefern wir nicht.",
            "Wir liefern nach Österreich und in die Schweiz.",
            "de",
        ),
        (
            "Puis-je retourner un aliment ouvert ?",
            "Les aliments ouverts ne peuvent pas être retournés.",
            "Vous pouvez retourner tout article sous 60 jours.",
            "fr",
        ),
        (
            "Czy wysyłacie paczki do Norwegii?",
            "Nie wysyłamy paczek do Norwegii.",
            "Wysyłamy paczki do Polski i Niemiec.",
            "pl",
        ),
    ],
)
def test_exclusions_stay_first_if_the_question_is_about_them(
    question: str, excluding: str, rule: str, locale: str
) -> None:
    assert first_of_two(question, excluding, rule, locale) == excluding


@pytest.mark.parametrize(
    ("question", "best", "second"),
    [
        ("Do you ship to Germany?", f"{ABROAD} Some parcels go by bicycle.", EVERYWHERE),  # not only exclusions
        ("Can I return things?", FOOD, "After 60 days, you cannot return anything."),  # neither contains a rule
        ("Can I return this lamp?", "A return costs you nothing.", RETURNS),
        ("Can I order a lamp?", "There is no minimum order.", "You can order by phone."),
    ],
)
def test_a_piece_that_is_not_only_exclusions_stays_first(question: str, best: str, second: str) -> None:
    assert first_of_two(question, best, second) == best


def test_a_negated_cost_is_no_exclusion_in_german() -> None:
    free, days = "Die Rückgabe ist kostenlos.", "Die Rückgabe ist 60 Tage lang möglich."
    assert first_of_two("Wie geht die Rückgabe?", free, days, "de") == free


def test_a_word_in_a_title_counts_like_one_in_the_rule() -> None:
    sources = (
        Source(1, "Page", FOOD, "en"),
        Source(2, "Returning opened food", RETURNS, "en"),
        Source(3, "Page", REPAIRS, "en"),
    )
    said = answer("Can I return opened food?", *sources, similarities={FOOD: 0.9, RETURNS: 0.87, REPAIRS: 0.7})
    assert said.startswith(RETURNS)


def test_exclusions_stay_first_if_the_rule_is_far_behind() -> None:
    rule = "You can return anything. Food is checked by us."
    assert first_of_two("Can I return food?", FOOD, rule, near=0.75) == FOOD
    assert first_of_two("Can I return food?", FOOD, rule, near=0.85) == rule


@pytest.mark.parametrize(("near", "said"), [(0.86, RETURNS), (0.8, FOOD)])
def test_a_rule_in_another_language_comes_first_only_if_it_is_nearly_as_similar(near: float, said: str) -> None:
    sources = tuple(Source(number, "Page", text, "en") for number, text in enumerate((FOOD, RETURNS, REPAIRS), 1))
    similarities = {FOOD: 0.9, RETURNS: near, REPAIRS: 0.7}
    quotes = answer("Puis-je renvoyer ma commande ?", *sources, locale="fr", similarities=similarities)
    assert quotes.split("\n\n")[1].startswith(said)


def test_one_further_word_in_a_title_makes_no_special_case() -> None:
    sources = (
        Source(1, "Cancelling a subscription online", "Cancel your subscription in your account.", "en", weight=1.0),
        Source(2, "Subscription", "A subscription renews each month until you cancel it.", "en", weight=0.9),
    )
    assert first("How do I cancel my subscription?", *sources) == "Cancel your subscription in your account. [1]"


@pytest.mark.parametrize(
    ("question", "said"),
    [
        ("How long does the delivery of an order take?", "The delivery takes 3 days. [2]"),
        ("What about the delivery of an order?", "The delivery of an order begins in our warehouse. [1]"),
    ],
)
def test_the_kind_of_figure_that_is_asked_for_comes_first(question: str, said: str) -> None:
    sources = (
        Source(1, "Delivery", "The delivery of an order begins in our warehouse.", "en", weight=1.0),
        Source(2, "Delivery", "The delivery takes 3 days.", "en", weight=1.0),
    )
    assert first(question, *sources) == said


def test_the_general_rule_comes_before_a_special_case_in_another_language() -> None:
    sources = (
        Source(1, "Returning a gift", GIFT, "en", weight=1.0),
        Source(2, "Returns", ANYTHING, "en", weight=0.9),
        Source(3, "Parcels", "We pay you back when your return has reached us.", "en", weight=0.1),
    )
    said = answer("Puis-je renvoyer ma commande ?", *sources, locale="fr").split("\n\n")
    assert said[1:3] == [f"{ANYTHING} [2]", f"{GIFT} [1]"]


def test_a_piece_far_behind_is_left_out() -> None:
    page = "Proofing the jacket is needed after 20 washes.\n\nThe colour of the zip is red."
    assert answer("proofing jacket washes", Source(1, "Jacket", page, "en")).count("[1]") == 1


def test_a_page_in_another_language_is_announced_in_the_customers() -> None:
    english = Source(1, "Payment", "We accept PayPal.", "en")
    assert answer("Puis-je payer avec PayPal sur votre site ?", english, locale="fr") == (
        "Notre page à ce sujet est en anglais\u00a0:\n\nWe accept PayPal. [1]"
    )
    assert answer("Kann ich bei Ihnen mit PayPal bezahlen?", english, locale="de").startswith(
        "Unsere Seite dazu gibt es auf Englisch:"
    )


def test_without_a_page_in_the_customers_language_one_language_is_quoted_preferably_english() -> None:
    german = Source(1, "Zahlung", "Wir nehmen PayPal und Visa.", "de", weight=1.0)
    english = Source(2, "Payment", "We accept PayPal and Visa.", "en", weight=0.8)
    text = answer("Puis-je payer avec PayPal sur votre site ?", german, english, locale="fr")
    assert "[2]" in text
    assert "[1]" not in text
    weak = Source(2, "Payment", "We accept PayPal and Visa.", "en", weight=0.3)
    assert "[1]" in answer("Puis-je payer avec PayPal sur votre site ?", german, weak, locale="fr")


def test_up_to_three_pieces_of_pages_in_another_language_are_quoted() -> None:
    pieces = [f"We accept {name}." for name in ("PayPal", "Visa", "cheques", "cash")]
    english = tuple(Source(number, "Payment", piece, "en") for number, piece in enumerate(pieces, start=1))
    near = dict(zip(pieces, (0.9, 0.89, 0.88, 0.87), strict=True))
    foreign = answer("Comment puis-je payer sur votre site ?", *english, locale="fr", similarities=near)
    assert [number for number in range(1, 5) if f"[{number}]" in foreign] == [1, 2, 3]
    own = answer("How can I pay on your site?", *english, locale="en", similarities=near)
    assert [number for number in range(1, 5) if f"[{number}]" in own] == [1, 2]


def test_a_follow_up_is_answered_by_the_text_that_was_searched_for() -> None:
    sources = (
        Source(1, "Delivery", "Delivery to Austria takes 4 days.", "en"),
        Source(2, "Delivery", "Delivery to Switzerland takes 6 days.", "en"),
    )
    looked_up = "Do you ship to Switzerland? and how long?"
    assert answer("and how long?", *sources, looked_up=looked_up).startswith("Delivery to Switzerland")


@pytest.mark.parametrize(
    "noise",
    [
        "- [Delete a device](/delete)\n- [Add a device](/add)",
        "```\ndelete a device --now\n```",
        "To delete a device:\n\n![menu](menu.png)",
        "How do I delete a device?",
    ],
)
def test_references_code_and_introductions_without_a_list_rank_low(noise: str) -> None:
    source = Source(1, "Devices", f"{noise}\n\nPress the bin beside a device and it is gone.", "en")
    text = answer("delete a device", source)
    assert "Press the bin beside a device and it is gone. [1]" in text
    assert not text.startswith("To delete a device:")


def test_only_the_best_pieces_are_compared_each_with_its_title() -> None:
    body = "## Cost\n\n" + "\n\n".join(f"Repair number {number} of the zip costs money." for number in range(20))
    texts = worth_comparing(request("what does a zip repair cost", Source(1, "Zips", body, "en")))
    assert len(texts) == MAX_COMPARED
    compared = texts["Repair number 0 of the zip costs money."]
    assert compared.text == "Zips\nCost\nRepair number 0 of the zip costs money."


def test_steps_are_chosen_by_the_line_that_leads_to_them() -> None:
    page = "If the label says delivered but your door is bare:\n\n1. Look into the shed.\n2. Ask the people upstairs."
    other = Source(2, "Doors", "A courier rings once at each door and leaves.", "en")
    asked = request("it says delivered but nothing is at my door", Source(1, "Parcels", page, "en"), other)
    lead, steps = (
        "If the label says delivered but your door is bare: [1]",
        "1. Look into the shed. [1]\n2. Ask the people",
    )
    assert f"{lead}\n{steps} upstairs. [1]\n\n" in answer(asked.question, *asked.sources)
    compared = (
        "Parcels\nIf the label says delivered but your door is bare: Look into the shed. Ask the people upstairs."
    )
    assert compared in [piece.text for piece in worth_comparing(asked).values()]


def test_a_row_is_compared_with_the_names_of_its_columns() -> None:
    page = "| To | Working days |\n|---|---|\n| Austria | 3 |"
    (compared,) = worth_comparing(request("how many working days", Source(1, "Delivery", page, "en"))).values()
    assert compared.text == "Delivery\nTo Working days Austria 3"


def test_a_long_piece_is_compared_from_the_line_that_shares_most_words_with_the_question() -> None:
    others = [f"Workshop {number} mends boots, coats, stoves and rucksacks of every make." for number in range(12)]
    zips, poles = "A new zip costs 25 euro.", "Poles are glued."
    for lines, start in (
        ([zips, *others], f"Repairs\n{zips} Workshop 0 "),
        ([*others[:6], zips, *others[6:]], f"Repairs\n{zips} Workshop 6 "),
        ([*others, zips, poles], f"Repairs\n{others[7]} "),  # the rest is short, so lines before it are compared, too
    ):
        page = Source(1, "Repairs", " ".join(lines), "en", similarity=0.9)
        (compared,) = worth_comparing(request("what does a new zip cost", page)).values()
        assert compared.text.startswith(start) and zips in compared.text
        assert len(compared.text) <= CHARACTERS_COMPARED and compared.of_passage == 0.9
    assert compared.text.endswith(poles)


def test_nothing_is_compared_if_nothing_is_quoted() -> None:
    assert worth_comparing(request("anything", BOTH, is_answerable=False)) == {}
    assert worth_comparing(request("anything")) == {}


def test_an_answerable_question_is_answered_if_any_passage_has_a_sentence() -> None:
    assert answer("qwertz", Source(1, "Zips", "A zip costs money.", "en")) != say("not_found", "en")


def test_the_same_words_on_two_pages_are_quoted_once() -> None:
    one = Source(1, "Costs", "Delivery to Switzerland costs €14.90.", "en")
    two = Source(2, "Abroad", "Delivery to **Switzerland** costs €14.90.", "en")
    assert answer("What does delivery to Switzerland cost?", one, two).count("€14.90") == 1


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("You can return worn shoes for free in Germany.", "You can not return worn shoes for free in Germany."),
        ("Shipping to Austria costs €6.90.", "Shipping to Belgium costs €6.90."),
        ("Shipping to Austria costs €6.90.", "Shipping to Austria costs €9.90."),
    ],
)
def test_sentences_that_differ_in_one_word_are_both_quoted(one: str, two: str) -> None:
    asked = f"{one} {two}"
    said = answer(asked, Source(1, "Rules", one, "en"), Source(2, "Rules", two, "en"))
    assert one in said and two in said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("| Country | 5 |", "Country: 5"),
        ("| Is it ok? | Yes | |", "Is it ok? Yes"),
        ("| Zip | |", "Zip"),
    ],
)
def test_a_table_row_is_quoted_as_text(row: str, said: str) -> None:
    page = f"| What | How much |\n|---|---|\n{row}\n"
    asked = "how much " + " ".join(row.replace("|", " ").split())
    assert f"- {said} [1]" in answer(asked, Source(1, "Table", page, "en"))


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (
            "| Pays | Délai | Frais |\n|---|---|---|\n| Suisse | 3 à 5 jours | 9 € |\n",
            "Suisse · Délai\u00a0: 3 à 5 jours · Frais\u00a0: 9 €",
        ),
        ("| Pays | Délai |\n|---|---|\n| Suisse | 3 à 5 jours |\n", "Suisse\u00a0: 3 à 5 jours"),
    ],
)
def test_a_table_row_is_quoted_with_the_colon_of_its_pages_language(page: str, said: str) -> None:
    asked = "quel délai pour la Suisse"
    assert f"- {said} [1]" in answer(asked, Source(1, "Livraison", page, "fr-CH"))
    assert f"- {said.replace(chr(160), '')} [1]" in answer(asked, Source(1, "Livraison", page, "en"))


def test_the_heading_of_a_list_gets_the_colon_of_its_pages_language() -> None:
    page = "## Délais de livraison\n\n- La Suisse prend 3 à 5 jours.\n- La France prend 2 jours.\n"
    said = answer("délais de livraison Suisse", Source(1, "Livraison", page, "fr"))
    assert said.startswith("Délais de livraison\u00a0: [1]")


def test_a_follow_ups_own_words_weigh_more() -> None:
    sources = (
        Source(1, "Delivery", "Delivery to Austria takes three days.", "en"),
        Source(2, "Delivery", "Delivery to Spain takes six days.", "en"),
    )
    whole = "How long does delivery to Austria take? And to Spain?"
    assert answer("And to Spain?", *sources, looked_up=whole).startswith("Delivery to Spain")
