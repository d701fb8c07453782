"""The confidence of a search, and its calibration."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from kb.embedders.packaged import RECIPE
from kb.errors import RecipeMismatch
from kb.evaluation.confidence_fitting import ON_GROUNDS, WANTED_OF_NEAR_MISSES, Example, answered_share, auc, fit
from kb.indexing.vector_file import VectorFile, VectorFileBroken, VectorFileClosed
from kb.search.confidence import (
    Calibration,
    Evidence,
    Grounds,
    answer_calibration,
    calibration_set,
    shipped_calibration,
)
from kb.testing import HashEmbedder

STRONG = Evidence(similarity=0.92, lead=0.06, best_share=1.0, joint_share=1.0, known_share=1.0, overlap=0.6, length=1.6)
WEAK = Evidence(similarity=0.80, lead=0.01, best_share=0.1, joint_share=0.2, known_share=0.3, overlap=0.0, length=1.6)


def test_the_packaged_model_ships_with_a_calibration() -> None:
    fitted = calibration_set({}, RECIPE.name)
    for calibration in (fitted.full, fitted.words_only):
        assert calibration.confidence(STRONG) >= calibration.threshold > calibration.confidence(WEAK)


def test_words_do_not_count_for_a_question_in_another_language() -> None:
    full = calibration_set({}, RECIPE.name).full
    asked = Evidence(similarity=0.84, lead=0.045)
    assert full.confidence(asked) < full.threshold <= full.confidence(replace(asked, across=1.0))


def test_answers_are_distinguished_from_near_misses() -> None:
    fitted = answer_calibration(RECIPE.name)
    assert fitted is not None and answer_calibration("somebody-else") is None
    assert fitted.answers(Grounds(nearest=0.90, share=0.8)) and not fitted.answers(Grounds(nearest=0.83, share=0.3))
    assert fitted.answers(Grounds(nearest=0.87, across=1.0)) and not fitted.answers(Grounds(nearest=0.80, across=1.0))


@pytest.mark.long
def test_the_calibration_of_answers_has_its_own_goals() -> None:
    dice = random.Random(4)
    rows = [
        Example("shop", str(number), "", yes, [Grounds(dice.gauss(0.88 if yes else 0.85, 0.015), dice.random())])
        for number in range(200)
        for yes in (number % 2 == 0,)
    ]
    fitted = fit(rows, ON_GROUNDS, WANTED_OF_NEAR_MISSES)
    groups = ([row for row in rows if row.is_answerable is yes] for yes in (True, False))
    right, wrong = (answered_share(fitted, group) for group in groups)
    assert right > 0.8 and wrong < 0.35


@pytest.mark.long
def test_questions_in_another_language_only_determine_their_offset() -> None:
    known = examples("shop")
    foreign = [
        Example("shop", f"x{number}", "", True, [Evidence(similarity=0.84 + number / 10_000, across=1.0)])
        for number in range(40)
    ]
    alone, both = fit(known, ("similarity", "best_share")), fit([*known, *foreign], ("similarity", "best_share"))
    added = both.weights["across"]
    assert added > 0 and replace(both, weights={k: v for k, v in both.weights.items() if k != "across"}) == alone
    assert 0.8 < answered_share(both, foreign) <= 0.85
    assert "across" not in fit([*known, *foreign[:10]], ("similarity", "best_share")).weights  # too few for a result


def test_an_uncalibrated_recipe_uses_words_only() -> None:
    assert shipped_calibration("somebody/else") == {} == shipped_calibration("../../settings")
    fitted = calibration_set({}, "somebody-else")
    assert fitted.full == fitted.words_only
    assert "similarity" not in fitted.full.weights


def test_a_stored_calibration_overrides_the_shipped_one() -> None:
    stored = {"full": {"weights": {"lead": 2.0}, "bias": 1.0, "threshold": 0.4}}
    stored["words_only"] = stored["full"]
    assert calibration_set(stored, RECIPE.name).full == Calibration({"lead": 2.0}, 1.0, 0.4)
    stored["full"] = {"weights": {"luck": 1.0}, "bias": 0.0, "threshold": 0.5}
    assert calibration_set(stored, RECIPE.name) == calibration_set({}, RECIPE.name)


def test_confidence_is_a_probability_for_any_evidence() -> None:
    for bias in (-1e9, 0.0, 1e9):
        assert 0.0 <= Calibration({}, bias, 0.5).confidence(STRONG) <= 1.0


def examples(corpus: str, count: int = 80) -> list[Example]:
    dice = random.Random(corpus)
    return [
        Example(
            corpus,
            f"{corpus}-{number}",
            "",
            number % 2 == 0,
            [Evidence(similarity=dice.gauss(0.90 if number % 2 == 0 else 0.84, 0.01), best_share=dice.random())],
        )
        for number in range(count)
    ]


def test_a_fit_meets_its_goals_on_an_unseen_corpus() -> None:
    calibration = fit([*examples("a"), *examples("b")], ("similarity", "best_share"))
    unseen = examples("c")
    yes, no = [row for row in unseen if row.is_answerable], [row for row in unseen if not row.is_answerable]
    assert answered_share(calibration, yes) >= 0.9
    assert 1 - answered_share(calibration, no) >= 0.8
    assert auc(calibration, yes, no) > 0.98


def test_the_most_confident_part_of_a_long_message_decides() -> None:
    calibration = fit([*examples("a"), *examples("b")], ("similarity", "best_share"))
    row = Example("c", "long", "", True, [WEAK, STRONG, WEAK])
    assert answered_share(calibration, [row]) == 1.0


KEY, OTHER = "ab" * 32, "cd" * 32


def test_stored_vectors_have_the_precision_of_the_index(tmp_path: Path) -> None:
    cache = VectorFile(tmp_path / "v", HashEmbedder.recipe)
    vector = HashEmbedder().query("a tent")
    cache.add([(KEY, vector)])
    again = VectorFile(tmp_path / "v", HashEmbedder.recipe)
    assert KEY in again and OTHER not in again and len(again) == 1
    assert again.get(KEY) == pytest.approx(vector, abs=1e-3)
    assert again.get(OTHER) is None


def test_an_incomplete_record_is_discarded_and_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "v"
    vector = HashEmbedder().query("a tent")
    VectorFile(path, HashEmbedder.recipe).add([(KEY, vector), (OTHER, vector)])
    path.write_bytes(path.read_bytes()[:-100])
    cache = VectorFile(path, HashEmbedder.recipe)
    assert OTHER not in cache
    cache.add([(OTHER, vector)])
    assert VectorFile(path, HashEmbedder.recipe).get(OTHER) == pytest.approx(vector, abs=1e-3)


def test_known_vectors_are_not_written_twice(tmp_path: Path) -> None:
    cache = VectorFile(tmp_path / "v", HashEmbedder.recipe)
    cache.add([(KEY, HashEmbedder().query("a tent"))])
    size = (tmp_path / "v").stat().st_size
    cache.add([(KEY, HashEmbedder().query("a tent"))])
    assert (tmp_path / "v").stat().st_size == size


def test_vectors_of_another_recipe_are_refused(tmp_path: Path) -> None:
    VectorFile(tmp_path / "v", HashEmbedder.recipe).add([(KEY, HashEmbedder().query("a tent"))])
    with pytest.raises(RecipeMismatch, match="hash-384"):
        VectorFile(tmp_path / "v", RECIPE)


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"format": "other"}\n', b"[]\n", b"\xff\xfe\n"])
def test_a_file_without_vectors_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v").write_bytes(content)
    with pytest.raises(VectorFileBroken):
        VectorFile(tmp_path / "v", HashEmbedder.recipe)


def test_a_folder_is_not_a_vector_file(tmp_path: Path) -> None:
    with pytest.raises(VectorFileClosed, match=r"cannot be read \(Is a directory\)"):
        VectorFile(tmp_path, HashEmbedder.recipe)


@pytest.mark.long
def test_the_packaged_model_reads_past_a_nul_and_takes_limited_time() -> None:
    from kb.embedders.packaged import PackagedEmbedder

    model = PackagedEmbedder()
    assert model.query("tent\x00 pegs") != model.query("tent")
    assert len(model.query("\ud800")) == 384
    assert model.passages(["tent " * 50_000]) == model.passages(["tent " * 400])  # both cut to the same length
    near, far = (
        sum(a * b for a, b in zip(model.query("Wo ist mein Paket?"), passage, strict=True))
        for passage in model.passages(["Track your parcel on its way.", "Wash the tent by hand."])
    )
    assert near > far


def test_all_weights_are_positive_and_probabilities_spread() -> None:
    rows = [*examples("a"), *examples("b")]
    misled = [
        Example(
            row.corpus, row.name, "", row.is_answerable, [replace(row.parts[0], lead=0.0 if row.is_answerable else 0.1)]
        )
        for row in rows
    ]
    calibration = fit(misled, ("similarity", "lead"))
    assert calibration.weights["lead"] == 0.0
    sure = [calibration.confidence(row.parts[0]) for row in misled if row.is_answerable]
    assert sum(sure) / len(sure) > 0.8  # if only the regularisation counted, all would be near one half


def test_a_calibration_of_another_version_counts_as_not_stored() -> None:
    foreign = {"full": {"weights": {"gone": 1.0}, "bias": 0, "threshold": 0.5}, "words_only": {}}
    assert calibration_set(foreign, RECIPE.name) == calibration_set({}, RECIPE.name)
    assert calibration_set({"full": 7}, "nobody-fitted-this") == calibration_set({}, "nobody-fitted-this")
