"""Doubt: how likely a sentence is to differ in meaning from its sources, and whether it gets a second look."""

import json
from itertools import pairwise

import pytest

from supportbot.assistant.checks.doubtful_sentences import DATA, LOOK_FROM, Doubts
from tests.pace import bounded

RETURNS = """# Returns

You can send items back within 30 days of delivery. Only unused items get a full refund.
Returns from Germany and Austria are free of charge. Returning something from Switzerland costs €9.90, which is deducted
from your refund. Gift cards can't be returned.

| Country | Standard | Express |
|---|---|---|
| Germany | €4.90 | €9.90 |
| Austria | €6.90 | €12.90 |
"""


@pytest.mark.parametrize(
    ("language", "honest", "turned"),
    [
        ("en", "You have 30 days to return items.", "You have 60 days to return items."),
        ("en", "Standard delivery to Austria costs €6.90.", "Standard delivery to Austria costs €12.90."),
        ("en", "Gift cards can't be returned.", "Gift cards can be returned."),
        ("en", "Only items that are unused are refunded in full.", "Used items also get a full refund."),
        ("de", "Geschenkkarten können nicht zurückgegeben werden.", "Geschenkkarten können auch zurückgegeben werden."),
        ("fr", "Le retour est possible pendant 30 jours.", "Le retour est aussi possible après 90 jours."),
    ],
)
def test_an_altered_sentence_gets_a_second_look_and_its_true_twin_does_not(
    language: str, honest: str, turned: str
) -> None:
    doubts = Doubts([RETURNS], language=language)
    assert doubts.of(honest) < LOOK_FROM <= doubts.of(turned)


@pytest.mark.long
def test_at_least_half_of_the_altered_and_at_most_a_fifth_of_the_true_sentences_get_a_second_look() -> None:
    """Counted on the training rows; `train_doubt.py --measure` prints the results on unseen ones."""
    looks: dict[str, list[bool]] = {"honest": [], "turned": []}
    for file in sorted(DATA.glob("twins.*.jsonl")):
        for pair in map(json.loads, file.open()):
            doubts = Doubts([pair["passage"]], language=pair["locale"])
            for name, found in looks.items():
                found.append(doubts.of(pair[name]) >= LOOK_FROM)
    assert sum(looks["turned"]) / len(looks["turned"]) >= 0.5
    assert sum(looks["honest"]) / len(looks["honest"]) <= 0.22


def test_markers_and_list_numbers_change_nothing() -> None:
    doubts = Doubts([RETURNS], language="en")
    assert doubts.of("3. Gift cards can be returned [1].") == doubts.of("Gift cards can be returned.")


@pytest.mark.parametrize("sentence", ["", "   ", "…", "|||", "[1]"])
def test_a_sentence_without_content_is_not_doubtful(sentence: str) -> None:
    assert Doubts([RETURNS], language="en").of(sentence) == 0.0


def test_without_a_source_nothing_is_compared() -> None:
    assert Doubts([], language="en").of("Gift cards can be returned.") == 0.0
    assert Doubts(["", "\n\n"], language="en").of("Gift cards can be returned.") == 0.0


@pytest.mark.parametrize(
    ("sentence", "language"),
    [
        ("商品は30日以内に返品できます。", "ja"),
        ("يمكنك إرجاع المنتجات خلال 30 يومًا.", "ar"),
        ("สามารถคืนสินค้าได้ภายใน 30 วัน", "th"),
    ],
)
def test_sentences_in_an_unknown_language_have_no_differing_operators(sentence: str, language: str) -> None:
    assert Doubts([RETURNS], language=language).of(sentence) < LOOK_FROM


def test_passages_are_prepared_once_and_not_per_sentence() -> None:
    passages = [(f"Part {number}. " + RETURNS * 4)[:1_500] for number in range(6)]
    doubts = Doubts(passages, language="en")
    sentences = [f"Returns from country {number} cost €{number}.90 and take {number} days." for number in range(200)]
    with bounded(0.002 * len(sentences)):  # half a millisecond each, and fifty to prepare the passages
        for sentence in sentences:
            doubts.of(sentence)


def test_long_noise_is_read_in_bounded_time() -> None:
    noise = "1 2 3 not only if € " * 75
    with bounded(10):
        assert 0.0 <= Doubts([noise * 5, "|" * 3_000, "- " * 3_000], language="en").of(noise) <= 1.0


def test_rows_are_complete_and_unique() -> None:
    rows = sorted(line for file in DATA.glob("twins.*.jsonl") for line in file.open())
    assert len(rows) == 400
    assert all(one != other for one, other in pairwise(rows))
    for row in map(json.loads, rows):
        assert row["honest"] != row["turned"]
        assert row["passage"]
