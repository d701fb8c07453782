"""Gather what `kb.confidence` weighs: how near the nearest passage is, which of the question's words it holds."""

import math
from collections.abc import Sequence
from uuid import UUID

from kb.candidates import Scope, Survey, words_found
from kb.confidence import Evidence
from kb.fusion import Candidate, Found, lead
from kb.lexical import Term
from kb.wordquery import known_share, rarity
from supportbot.language.detection import base_language

# An answer is made of the first few passages; words found further down do not help it.
FIRST_PASSAGES = 5
_COMPARED = 10


def gathered(
    scope: Scope,
    terms: Sequence[Term],
    survey: Survey,
    *,
    first: Sequence[UUID],
    part: Found,
) -> Evidence:
    """Return the evidence for one part of a question; `first` are its best passages."""
    weights = [rarity(survey.counts[term.word], survey.chunks) for term in terms]
    rows = words_found(scope, first[:FIRST_PASSAGES], terms)
    found = [hits for _, hits in rows]
    return Evidence(
        similarity=part.near[0].similarity or 0.0 if part.near else 0.0,
        lead=lead(part.near),
        best_share=max((_share(weights, row) for row in found), default=0.0),
        joint_share=_share(weights, [any(column) for column in zip(*found, strict=True)]),
        known_share=known_share(terms, survey),
        overlap=_overlap(part.near, part.worded),
        length=math.log1p(len(terms)),
        across=float(_is_across(scope.viewer.locale, [locale for locale, _ in rows])),
    )


def _is_across(asked: str | None, found: Sequence[str]) -> bool:
    """Say whether all passages are in another language than the question; unknown ones count as its own."""
    languages = {base_language(locale) for locale in found}
    return bool(asked and languages) and base_language(asked or "") not in languages and "" not in languages


def _share(weights: Sequence[float], hits: Sequence[bool]) -> float:
    """Return the share of the weights that is hit; a question without telling words has none of them found."""
    total = sum(weights)
    return sum(weight for weight, hit in zip(weights, hits, strict=False) if hit) / total if total else 0.0


def _overlap(near: Sequence[Candidate], worded: Sequence[Candidate]) -> float:
    """Return which share of the nearest passages both indexes put first; chance agrees on one, rarely on several."""
    first = {candidate.chunk_id for candidate in worded[:_COMPARED]}
    return sum(candidate.chunk_id in first for candidate in near[:_COMPARED]) / _COMPARED
