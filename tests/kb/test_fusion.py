"""Fusing two lists, splitting long messages, scoring rankings. Pure."""

from uuid import UUID, uuid4

import pytest

from kb.evaluation.metrics import difference, mean, percentile, score
from kb.search.fusion import Candidate, PartCandidates, fuse, fuse_by_article, fuse_in_context, ranked
from kb.search.lexical_query import MAX_RANKED, ScopeStats, idf, known_share, plan_lexical_query
from kb.search.query_preparation import CONTEXT_WORDS, MAX_PARTS, ONE_PART_WORDS, clean, split, with_context
from kb.search.query_terms import Term, tsquery_of

A, B, C, D = (str(UUID(int=number)) for number in range(1, 5))


def near(*pairs: tuple[str, float]) -> list[Candidate]:
    return [Candidate(key, similarity) for key, similarity in pairs]


def test_without_word_matches_the_order_is_by_similarity() -> None:
    assert ranked(fuse([PartCandidates(near((B, 0.9), (A, 0.8)), [])])) == [B, A]


def test_without_vectors_the_order_is_by_word_matches() -> None:
    assert ranked(fuse([PartCandidates([], [Candidate(A, None, 2.0), Candidate(B, None, 1.0)])])) == [A, B]


def test_a_passage_found_by_both_indexes_outranks_a_slightly_nearer_one() -> None:
    found = PartCandidates(near((A, 0.90), (B, 0.89), (C, 0.80)), [Candidate(B, 0.89, 3.0)])
    assert ranked(fuse([found])) == [B, A, C]


def test_words_alone_do_not_outrank_similarity_plus_words() -> None:
    found = PartCandidates(near((A, 0.90), (C, 0.80)), [Candidate(A, 0.90, 3.0), Candidate(B, None, 3.0)])
    assert ranked(fuse([found]))[0] == A


def test_words_count_less_if_the_key_word_is_unknown() -> None:
    by_vector, by_words = near((A, 0.90), (B, 0.86), (C, 0.80)), [Candidate(B, 0.86, 3.0)]
    assert ranked(fuse([PartCandidates(by_vector, by_words)]))[0] == B
    assert ranked(fuse([PartCandidates(by_vector, by_words, known_share=0.3)]))[0] == A


def test_an_unknown_word_weighs_most_in_the_known_share() -> None:
    common, unknown = Term("dauert", "'dau'"), Term("vergütung", "'vergut'")
    stats = ScopeStats(100, {"dauert": 40, "vergütung": 0})
    assert known_share([common], stats) == 1.0
    assert known_share([common, unknown], stats) < 0.2
    assert known_share([], stats) == 0.0


@pytest.mark.parametrize("scale", [0.1, 1.0])
def test_the_range_of_a_models_cosines_does_not_matter(scale: float) -> None:
    found = PartCandidates(
        near((A, 0.90 * scale), (B, 0.87 * scale), (C, 0.80 * scale)), [Candidate(B, 0.87 * scale, 3.0)]
    )
    assert ranked(fuse([found])) == [B, A, C]


def test_a_polite_phrase_does_not_outweigh_the_request() -> None:
    polite = PartCandidates(near((A, 0.70), (B, 0.69), (C, 0.65)), [])
    request = PartCandidates(near((D, 0.90), (B, 0.80), (C, 0.70)), [])
    assert ranked(fuse([polite, request]))[0] == D


def test_a_passage_that_matches_two_parts_outranks_one_that_matches_one() -> None:
    first = PartCandidates(near((A, 0.90), (C, 0.89), (D, 0.80)), [])
    second = PartCandidates(near((B, 0.90), (C, 0.89), (D, 0.80)), [])
    assert ranked(fuse([first, second]))[0] == C


def test_nothing_found_has_no_score() -> None:
    assert fuse([PartCandidates([], [])]) == {}


def test_in_context_a_passage_must_match_both() -> None:
    alone = PartCandidates(near((A, 0.90), (B, 0.89), (D, 0.80)), [])
    context = PartCandidates(near((C, 0.90), (B, 0.89), (D, 0.80)), [])
    assert ranked(fuse_in_context(alone, context, 1.0))[0] == B
    assert ranked(fuse_in_context(alone, context, 0.0))[0] == A


def test_a_context_still_ranks_without_vectors() -> None:
    alone, context = (PartCandidates([], [Candidate(A, None, 1.0), Candidate(key, None, 1.0)]) for key in (B, C))
    assert ranked(fuse_in_context(alone, context, 1.0))[0] == A


def test_only_the_first_query_terms_of_a_context_are_used() -> None:
    assert with_context("grey  parcel", "and\nthree?") == "grey parcel and three?"
    assert with_context("**A parcel** to the Alps is sent on Monday.", "why?") == "parcel** Alps sent Monday. why?"
    assert with_context("word " * 500, "why?").split() == ["word"] * CONTEXT_WORDS + ["why?"]


def test_an_article_counts_once_per_part_of_a_long_message() -> None:
    parts = [
        PartCandidates(near((A, 0.90), (B, 0.89), (C, 0.88)), []),
        PartCandidates(near((B, 0.90), (D, 0.86), (A, 0.80)), []),
    ]
    article, other = str(uuid4()), str(uuid4())
    scores = fuse_by_article(parts, {A: article, B: article, C: other, D: other})
    assert ranked(scores) == [B, A, D, C]
    assert scores[B] == 2 * scores[A] and scores[D] == 2 * scores[C]


def test_a_short_question_is_one_part_in_one_line() -> None:
    assert split("Where is\n my   parcel? It is late.") == ["Where is my parcel? It is late."]


def test_a_long_message_is_searched_in_parts_that_keep_every_word() -> None:
    text = " ".join(f"Sentence {number} is about topic {number}." for number in range(60))
    found = split(text)
    assert 1 < len(found) <= MAX_PARTS
    assert " ".join(found) == text


def test_a_message_without_full_stops_is_split_too() -> None:
    found = split("word " * 5_000)
    assert len(found) == MAX_PARTS
    assert all(len(part.split()) <= ONE_PART_WORDS for part in found)


@pytest.mark.parametrize("question", ["", "   ", "\x00", "\ud800"])
def test_an_empty_question_is_harmless(question: str) -> None:
    (part,) = split(question)
    assert "\x00" not in part
    part.encode("utf-8")
    assert clean(question) == part


def term(word: str) -> Term:
    return Term(word, f"'{word}'")


def test_rare_words_fetch_candidates_and_common_ones_only_rank_them() -> None:
    terms = [term("the"), term("invoice"), term("nowhere")]
    plan = plan_lexical_query(terms, ScopeStats(4_000, {"the": MAX_RANKED + 1, "invoice": 3, "nowhere": 0}))
    assert plan is not None
    assert plan.queries == ("'invoice'",)
    assert [query for query, _ in plan.weights] == ["'invoice'", "'the'"]
    assert plan.weights[0][1] > plan.weights[1][1] > 0


def test_common_words_are_combined_first() -> None:
    counts = dict.fromkeys(("order", "status"), MAX_RANKED + 1)
    plan = plan_lexical_query([term("order"), term("status")], ScopeStats(5_001, counts))
    assert plan is not None
    assert plan.queries == ("('order') & ('status')", "'order' | 'status'")


def test_unknown_words_fetch_no_candidates() -> None:
    assert plan_lexical_query([term("nowhere")], ScopeStats(10, {"nowhere": 0})) is None
    assert plan_lexical_query([], ScopeStats(10, {})) is None


def test_a_lexeme_cannot_leave_its_quotes() -> None:
    assert tsquery_of(("it's \\ | b",)) == "'it''s \\\\ | b'"


def test_a_rarer_word_weighs_more() -> None:
    assert idf(0, 100) > idf(1, 100) > idf(100, 100) > 0


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
def test_rankings_have_scores(ranked: list[str], wanted: set[str], expected: tuple[float, ...]) -> None:
    marks = score(ranked, wanted)
    assert (marks.hit1, marks.hit5, marks.recall10, marks.mrr10) == expected[:4]
    assert marks.ndcg10 == pytest.approx(expected[4], abs=1e-4)


def test_a_constant_difference_has_a_narrow_interval() -> None:
    good, bad = score(["a"], {"a"}), score(["x"], {"a"})
    assert difference([good] * 30, [bad] * 30, "hit1") == (1.0, 1.0, 1.0)
    _, low, high = difference([good, bad] * 15, [bad, good] * 15, "hit1")
    assert low < 0 < high


def test_means_and_percentiles_of_nothing_are_nothing() -> None:
    assert (mean([], "hit1"), percentile([], 0.5)) == (0.0, 0.0)
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([float(n) for n in range(1, 101)], 0.95) == 95.0


def test_ties_have_a_stable_order() -> None:
    keys = [str(uuid4()) for _ in range(20)]
    assert ranked(dict.fromkeys(keys, 1.0)) == ranked(dict.fromkeys(reversed(keys), 1.0))
