"""Whether an answer states a fact, in any words: the checks of the assistant's answers in reverse. The answer is the
source and the fact is the sentence: it must contain enough of the fact's content words (or a similar vector) and all of
its figures, and the nearest sentence must not deny it. Without vectors, words alone decide.
"""

from typing import Final
from uuid import UUID

import numpy as np

from kb.search import Passage
from supportbot.assistant.checks.doubt import DENYING, Doubts
from supportbot.assistant.checks.evidence import Evidence
from supportbot.assistant.vectors import vectors_of
from supportbot.language.detection import detect
from supportbot.language.figures import all_figures_in
from supportbot.language.sentences import sentences_of

SAID_FROM: Final = 0.7  # support from which the checks count a claim as confirmed (`checks.verdict.CONFIRMED_FROM`)
_NOBODY: Final = UUID(int=0)
_DIFFERENT: Final = frozenset({"figure", "denied"}) | {f"{sign}{name}" for sign in "+-" for name in DENYING}


def says(text: str, fact: str) -> bool:
    """Return whether an answer states a fact."""
    if not text.strip():
        return False
    language = detect(fact, "en")
    evidence = Evidence([_as_passage(text)], language=language)
    if not all(map(evidence.figures.holds, all_figures_in(fact, language))):
        return False
    found = Doubts([text], language=language).features(fact) or {}
    if found.get("opposite") or not _DIFFERENT.isdisjoint(found):
        return False
    score = evidence.support(fact).score or 0.0
    return score >= SAID_FROM or (evidence.support(fact, _similarity(evidence, fact)).score or 0.0) >= SAID_FROM


def says_in_a_sentence(text: str, fact: str) -> bool:
    """Return whether a single sentence of an answer states a fact; words scattered over several sentences do not
    count.
    """
    return any(says(sentence, fact) for sentence in sentences_of(text))


def _similarity(evidence: Evidence, fact: str) -> float | None:
    """Return the cosine of a fact's vector with the nearest window of the answer; None without vectors."""
    windows = evidence.windows
    vectors = vectors_of([fact, *windows])
    if not vectors or not windows:
        return None
    return max(float(np.dot(vectors[fact], vectors[window])) for window in windows)


def _as_passage(text: str) -> Passage:
    return Passage(
        article_id=_NOBODY, external_id="", title="", url="", locale="", revision=1, heading="", text=text, start=0,
        end=len(text), score=1.0, similarity=None, chunk_id=_NOBODY,
    )  # fmt: skip
