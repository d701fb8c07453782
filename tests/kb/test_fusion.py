"""Two lists into one order, long messages into parts, rankings into marks. Pure."""

from uuid import UUID, uuid4

import pytest

from kb.evaluation.measures import difference, mean, percentile, scored
from kb.indexing.lexical import Term
from kb.search.candidates import MOST_RANKED, Survey
from kb.search.fusion import Candidate, Found, fused, fused_by_article, in_context, ordered, preferring
from kb.search.lexical_query import known_share, rarity, word_query
from kb.search.questions import CONTEXT_WORDS, MOST_PARTS, ONE_PART_WORDS, after, cleaned, parts

A, B, C, D = (UUID(int=number) for number in range(1, 5))


def near(*pairs: tuple[UUID, float]) -> list[Candidate]:
    return [Candidate(key, similarity) for key, similarity in pairs]


def test_without_words_the_order_is_that_of_nearness() -> None:
    assert ordered(fused([Found(near((B, 0.9), (A, 0.8)), [])])) == [B, A]


def test_without_vectors_the_order_is_that_of_words() -> None:
    assert ordered(fused([Found([], [Candidate(A, None, 2.0), Candidate(B, None, 1.0)])])) == [A, B]


def test_a_passage_both_indexes_find_passes_one_that_is_a_little_nearer() -> None:
    found = Found(near((A, 0.90), (B, 0.89), (C, 0.80)), [Candidate(B, 0.89, 3.0)])
    assert ordered(fused([found])) == [B, A, C]


def test_words_alone_do_not_pass_a_passage_that_is_near_and_worded() -> None:
    found = Found(near((A, 0.90), (C, 0.80)), [Candidate(A, 0.90, 3.0), Candidate(B, None, 3.0)])
    assert ordered(fused([found]))[0] == A


def test_words_say_less_where_the_telling_one_is_unknown() -> None:
    near_ones, worded = near((A, 0.90), (B, 0.86), (C, 0.80)), [Candidate(B, 0.86, 3.0)]
    assert ordered(fused([Found(near_ones, worded)]))[0] == B
    assert ordered(fused([Found(near_ones, worded, known=0.3)]))[0] == A


def test_the_known_share_weighs_an_unknown_word_most() -> None:
    common, unknown = Term("dauert", ("dau",)), Term("vergütung", ("vergut",))
    counted = Survey(100, {"dauert": 40, "vergütung": 0})
    assert known_share([common], counted) == 1.0
    assert known_share([common, unknown], counted) < 0.2
    assert known_share([], counted) == 0.0


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_the_band_of_a_models_cosines_does_not_matter(scale: float) -> None:
    found = Found(near((A, 0.90 * scale), (B, 0.87 * scale), (C, 0.80 * scale)), [Candidate(B, 0.87 * scale, 3.0)])
    assert ordered(fused([found])) == [B, A, C]


def test_a_part_near_to_nothing_is_not_heard_over_the_request() -> None:
    polite = Found(near((A, 0.70), (B, 0.69), (C, 0.65)), [])
    request = Found(near((D, 0.90), (B, 0.80), (C, 0.70)), [])
    assert ordered(fused([polite, request]))[0] == D


def test_a_passage_that_meets_two_parts_passes_one_that_meets_one() -> None:
    first = Found(near((A, 0.90), (C, 0.89), (D, 0.80)), [])
    second = Found(near((B, 0.90), (C, 0.89), (D, 0.80)), [])
    assert ordered(fused([first, second]))[0] == C


def test_nothing_found_is_no_score() -> None:
    assert fused([Found([], [])]) == {}


def test_the_viewers_language_comes_first_and_others_stay() -> None:
    scores = {A: 1.0, B: 0.9}
    assert ordered(preferring(scores, {A: "en", B: "de-AT"}, "de")) == [B, A]
    assert ordered(preferring(scores, {A: "en", B: "de"}, "fr")) == [A, B]


def test_in_its_context_a_passage_has_to_fit_both() -> None:
    alone = Found(near((A, 0.90), (B, 0.89), (D, 0.80)), [])
    context = Found(near((C, 0.90), (B, 0.89), (D, 0.80)), [])
    assert ordered(in_context(alone, context, 1.0))[0] == B
    assert ordered(in_context(alone, context, 0.0))[0] == A


def test_without_vectors_a_context_still_orders() -> None:
    alone, context = (Found([], [Candidate(A, None, 1.0), Candidate(key, None, 1.0)]) for key in (B, C))
    assert ordered(in_context(alone, context, 1.0))[0] == A


def test_a_context_lends_its_first_telling_words() -> None:
    assert after("grey  parcel", "and\nthree?") == "grey parcel and three?"
    assert after("**A parcel** to the Alps is sent on Monday.", "why?") == "parcel** Alps sent Monday. why?"
    assert after("word " * 500, "why?").split() == ["word"] * CONTEXT_WORDS + ["why?"]


def test_of_a_long_message_an_article_counts_once_a_part() -> None:
    parts = [Found(near((A, 0.90), (B, 0.89), (C, 0.88)), []), Found(near((B, 0.90), (D, 0.86), (A, 0.80)), [])]
    article, other = uuid4(), uuid4()
    scores = fused_by_article(parts, {A: article, B: article, C: other, D: other})
    assert ordered(scores) == [B, A, D, C]
    assert scores[B] == 2 * scores[A] and scores[D] == 2 * scores[C]


def test_a_short_question_is_one_part_in_one_line() -> None:
    assert parts("Where is\n my   parcel? It is late.") == ["Where is my parcel? It is late."]


def test_a_long_message_is_searched_in_parts_that_keep_every_word() -> None:
    text = " ".join(f"Sentence {number} is about topic {number}." for number in range(60))
    found = parts(text)
    assert 1 < len(found) <= MOST_PARTS
    assert " ".join(found) == text


def test_a_message_without_an_end_is_cut_all_the_same() -> None:
    found = parts("word " * 5_000)
    assert len(found) == MOST_PARTS
    assert all(len(part.split()) <= ONE_PART_WORDS for part in found)


@pytest.mark.parametrize("question", ["", "   ", "\x00", "\ud800"])
def test_a_question_of_nothing_stays_harmless(question: str) -> None:
    (part,) = parts(question)
    assert "\x00" not in part
    part.encode("utf-8")
    assert cleaned(question) == part


def term(word: str) -> Term:
    return Term(word, (word,))


def test_rare_words_fetch_and_common_ones_only_order() -> None:
    terms = [term("the"), term("invoice"), term("nowhere")]
    plan = word_query(terms, Survey(4_000, {"the": MOST_RANKED + 1, "invoice": 3, "nowhere": 0}))
    assert plan is not None
    assert plan.queries == ("'invoice'",)
    assert [query for query, _ in plan.weights] == ["'invoice'", "'the'"]
    assert plan.weights[0][1] > plan.weights[1][1] > 0


def test_common_words_are_asked_for_together_first() -> None:
    counts = dict.fromkeys(("order", "status"), MOST_RANKED + 1)
    plan = word_query([term("order"), term("status")], Survey(5_001, counts))
    assert plan is not None
    assert plan.queries == ("('order') & ('status')", "'order' | 'status'")


def test_words_that_stand_nowhere_fetch_nothing() -> None:
    assert word_query([term("nowhere")], Survey(10, {"nowhere": 0})) is None
    assert word_query([], Survey(10, {})) is None


def test_a_lexeme_cannot_leave_its_quotes() -> None:
    assert Term("x", ("it's \\ | b",)).tsquery == "'it''s \\\\ | b'"


def test_a_rarer_word_weighs_more() -> None:
    assert rarity(0, 100) > rarity(1, 100) > rarity(100, 100) > 0


@pytest.mark.parametrize(
    ("ranked", "wanted", "expected"),
    [
        (["a", "b"], {"a"}, (1, 1, 1, 1, 1)),
        (["x", "a"], {"a"}, (0, 1, 1, 0.5, 0.6309)),
        ([], {"a"}, (0, 0, 0, 0, 0)),
        ([*"123456789", "a"], {"a"}, (0, 0, 1, 0.1, 0.2891)),
        ([*"1234567890", "a"], {"a"}, (0, 0, 0, 0, 0)),
        (["a", "x", "b"], {"a", "b"}, (1, 1, 1, 1, 0.9197)),
    ],
)
def test_marks(ranked: list[str], wanted: set[str], expected: tuple[float, ...]) -> None:
    marks = scored(ranked, wanted)
    assert (marks.hit1, marks.hit5, marks.recall10, marks.mrr10) == expected[:4]
    assert marks.ndcg10 == pytest.approx(expected[4], abs=1e-4)


def test_a_difference_that_is_always_there_has_no_doubt_about_it() -> None:
    good, bad = scored(["a"], {"a"}), scored(["x"], {"a"})
    assert difference([good] * 30, [bad] * 30, "hit1") == (1.0, 1.0, 1.0)
    _, low, high = difference([good, bad] * 15, [bad, good] * 15, "hit1")
    assert low < 0 < high


def test_means_and_percentiles_of_nothing_are_nothing() -> None:
    assert (mean([], "hit1"), percentile([], 0.5)) == (0.0, 0.0)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95.0


def test_equal_scores_keep_one_order() -> None:
    keys = [uuid4() for _ in range(20)]
    assert ordered(dict.fromkeys(keys, 1.0)) == ordered(dict.fromkeys(reversed(keys), 1.0))
