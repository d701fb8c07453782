"""Judges each sentence of an answer, and lists the vectors needed for this. Pure: the vectors are passed in.

A sentence is judged once, when it is complete. If its words leave a doubt, `wanted` returns the texts whose vectors
would help; without vectors, the words alone decide. An answer gets at most MAX_VECTORS vectors for its sentences and
the records. In addition, it gets the vectors of the windows of its pages (`Evidence.windows`) once, if it has to be
compared with them by meaning.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Final

import numpy as np

from supportbot.assistant.checks.cross_encoders import ModelInput, Vector, Wanted
from supportbot.assistant.checks.deeds import DOUBT_FROM, Records, is_deed, joint, may_be_deed, plainly
from supportbot.assistant.checks.doubtful_sentences import LOOK_FROM, Doubts, nearest_pieces
from supportbot.assistant.checks.evidence import (
    CITED_FROM,
    FAR_BELOW,
    Author,
    Evidence,
    Sentence,
    Support,
    is_confirmed,
)
from supportbot.assistant.checks.hard_checks import Confidential, objection
from supportbot.assistant.checks.sentence_kinds import (
    LANGUAGES,
    PIECES_BESIDE,
    TELLING_WORDS_LEAST,
    Kind,
    beside_pages,
    by_pieces,
    by_reading,
)
from supportbot.builtin.phrases import is_ours
from supportbot.language.normalise import as_read
from supportbot.language.sentences import LEADS, QUESTIONS, list_mark, opens_fence, unmarked, without_markers

MAX_VECTORS: Final = 10  # per answer; each vector takes 20 to 40 ms
# Vectors reserved for deeds, so that a deed is found even after many regrets or sentences in a foreign language.
KEPT_FOR_DEEDS: Final = 6
KEPT_FROM_RECORDS: Final = 6  # vectors kept for later sentences, because a record's own vector is only a second opinion
DOUBT_RISES: Final = 0.05  # rise of the threshold per vector, so that the last vector goes to a clear deed
MOST_THIN: Final = 4  # an answer with up to this many claims gets vectors if its words do not confirm it
MOST_STEPS: Final = 6  # how often a list item may occur: several lists may share a step
REPEATED: Final = 2  # how often a sentence may occur: a model in a loop repeats it endlessly
SHORT: Final = 20  # characters; shorter texts, such as "Yes.", may occur often
LEAST_RECORD: Final = 3  # words; shorter lines, such as a single value, do not say what was done
REGRET_FROM: Final = 0.15  # if word pieces make a regret at least this likely, a vector decides
LITTLE_SUPPORT: Final = 0.2  # sentences with less support get a second look
_SUPPORTED: Final = 0.9  # the support of a sentence that a second look confirmed
COVERED_FROM: Final = 0.5  # a sentence with at least this share of neighbouring words follows a page's wording
SURE_FROM: Final = 0.9  # minimum likelihood for a clause, which says less than a sentence and must clearly be a deed
_CLAUSE: Final = re.compile(r"[,;:()–—]\s+")


class Judge:
    """Judges the sentences of an answer in order. `done` contains our own texts about what was carried out."""

    def __init__(
        self, evidence: Evidence, confidential: Confidential, done: Sequence[str], *, is_strict: bool, looks_twice: bool
    ) -> None:
        self.evidence = evidence
        self._confidential = confidential
        self._is_strict = is_strict
        self._looks_twice = looks_twice
        self._done = tuple(text for text in done if text.strip())
        self._looked_up: tuple[str, ...] = ()  # the lines of look-ups that may say what was done
        self._facts = self._done
        self._vectors: dict[Wanted, Vector] = {}
        self._asked_for: set[Wanted] = set()
        self._compares = False  # whether the windows have been requested
        self._repetitions: Counter[str] = Counter()
        self._inputs: dict[str, ModelInput] = {}
        for text in self._done:
            evidence.learn(text, is_done=True)

    def learn(self, looked_up: str) -> None:
        """Treat this result of a look-up as evidence for the sentences that follow."""
        self.evidence.learn(looked_up)
        self._facts += (looked_up,)
        self._inputs.clear()
        self._looked_up += tuple(line for line in looked_up.splitlines() if len(line.split()) >= LEAST_RECORD)

    @property
    def facts(self) -> tuple[str, ...]:
        """What was done and looked up, one text for each."""
        return self._facts

    def take(self, wanted: Sequence[Wanted], vectors: Mapping[Wanted, Vector]) -> None:
        """Take the available vectors of the wanted texts; these texts are not requested again."""
        self._asked_for.update(wanted)
        self._vectors.update(vectors)

    def wanted(self, raw: str) -> tuple[Wanted, ...]:
        """Return the texts whose vectors would help to judge a sentence: the sentence and its clauses, joined with the
        pages; the sentence alone, if its language differs from that of the pages; and the sentence and its clauses
        joined with the records, if they may be deeds.
        """
        words, asked = without_markers(raw), self._asked
        if asked >= MAX_VECTORS or self.evidence.is_quoted(words):
            return ()
        kind, read, is_foreign = by_pieces(words), self._read(words), self.evidence.is_foreign(words)
        # a possible regret may be a deed, too
        is_likely = read is not None and may_be_deed(kind, read, records_decide=self._records_decide(words))
        is_doubtful = is_likely or not self._is_known_language or kind.deed >= DOUBT_FROM + DOUBT_RISES * asked
        is_regret = kind.regret >= REGRET_FROM and not words.endswith(QUESTIONS)
        if not is_doubtful and (asked >= MAX_VECTORS - KEPT_FOR_DEEDS or not (is_foreign or is_regret)):
            return ()
        hidden = self._clauses(words, self.evidence.in_their_words(words)) if is_doubtful else []
        readings = [self._beside_pages(one) for one in (words, *hidden)] if is_doubtful or is_regret else []
        language = self.evidence.language
        claims = (*((words,) if is_likely else ()), *hidden)
        compared = [found for one in claims if (found := self._records.comparison(one, language)) is not None]
        noted = [plainly(text) for one in claims for text in self._records.for_second_opinion(one, language)]
        spare = max(0, MAX_VECTORS - KEPT_FROM_RECORDS - asked)
        own = [as_read(words)] if is_foreign else []
        return self._unasked([*readings, *own, *compared, *self._new(noted)[:spare]], with_windows=is_foreign)

    def wanted_at_the_end(self, sentences: Sequence[Sentence]) -> tuple[Wanted, ...]:
        """Return the texts whose vectors may confirm a short answer if its words alone do not confirm it."""
        claims = [one for one in sentences if one.needs_ground]
        if len(claims) > MOST_THIN or is_confirmed(claims) is not False:
            return ()
        return self._unasked([as_read(one.words) for one in claims], with_windows=True)

    def judged(self, raw: str, before: str, *, by: Author) -> Sentence:
        """Return the judged sentence, with the reason if it is withheld. `before` is the text in front of it."""
        words = without_markers(raw)
        if by == "builtin" and is_ours(words):
            return Sentence(unmarked(raw), raw, Support(None, 0), is_claim=False)
        read, support = self._read(words), self._support(words)
        kind = read or by_pieces(words)
        is_claim = self._is_claim(words, kind, support)
        withheld = self._rejection_reason(words, before, support, by=by)
        if not withheld and is_claim and self._is_strict and _is_below(support, FAR_BELOW) and by == "model":
            withheld = "unsupported"
        is_recorded = withheld == "deed" and self._records.hold(words, self.evidence.language)
        if is_recorded:
            is_unsure = self._looks_twice and self._doubts_of_facts.of(words) >= LOOK_FROM
            return Sentence(raw, raw, support, is_recorded=True, needs_second_look=is_unsure)
        if withheld:
            return Sentence(raw, raw, support, withheld=withheld)
        return Sentence(
            raw,
            raw,
            support,
            is_claim=is_claim,
            is_regret=read is not None and read.regret >= max(read.talk, read.claim, read.deed),
            needs_second_look=is_claim and self._needs_second_look(words, support),
        )

    def with_vectors(self, sentence: Sentence) -> Sentence:
        """Return a sentence of a short answer with the support according to its vector, if there is one."""
        if not sentence.needs_ground or self._vector(sentence.words) is None:
            return sentence
        return replace(sentence, support=self._support(sentence.words, is_thin=True))

    def seen_again(self, sentence: Sentence, *, is_supported: bool) -> Sentence:
        """Return a sentence after a second look, which has found that the sources support or contradict it."""
        score = max(sentence.support.score or 0.0, _SUPPORTED) if is_supported else 0.0
        support = replace(sentence.support, score=score)
        return replace(sentence, support=support, withheld="" if is_supported else "contradicted")

    @property
    def _is_known_language(self) -> bool:
        """Whether the model for pieces was trained in the answer's language; in other languages, its results are
        worthless.
        """
        return self.evidence.language in LANGUAGES

    @property
    def _asked(self) -> int:
        return len(self._asked_for) - (len(self.evidence.windows) if self._compares else 0)

    @property
    def _records(self) -> Records:
        return Records(self._done, self._looked_up, self._vectors)

    @cached_property
    def _doubts(self) -> Doubts:
        return Doubts(self.evidence.texts, language=self.evidence.language)

    @property
    def _doubts_of_facts(self) -> Doubts:
        return Doubts(self._facts, language=self.evidence.language)

    def _unasked(self, texts: Sequence[Wanted], *, with_windows: bool) -> tuple[Wanted, ...]:
        new = self._new(texts)[: MAX_VECTORS - self._asked]
        has_any = new or any(text in self._vectors for text in texts)
        windows = self.evidence.windows if has_any and with_windows and not self._compares else ()
        self._compares = self._compares or bool(windows)
        return (*new, *windows)

    def _new(self, texts: Iterable[Wanted]) -> list[Wanted]:
        return [text for text in dict.fromkeys(texts) if text not in self._asked_for]

    def _vector(self, words: str) -> Vector | None:
        if not self._vectors:  # most answers need no second look, and then their sentences need not be normalised
            return None
        vector = self._vectors.get(as_read(words))
        return self._vectors.get(plainly(words)) if vector is None else vector

    def _read(self, words: str) -> Kind | None:
        """Return the kind of a sentence as read with the pages; None if that was not requested or has no vector."""
        asked = self._inputs.get(words)
        vector = None if asked is None else self._vectors.get(asked)
        return None if vector is None else by_reading(vector)

    def _beside_pages(self, words: str) -> ModelInput:
        """Return a sentence joined with the pieces of the pages that share the most words with it. It is returned alone
        if it is a block of code, if its language differs from that of the pages, or if something was done or looked up,
        because the sentence may be about that.
        """
        if words not in self._inputs:
            is_alone = self._facts or opens_fence(words) or self.evidence.is_foreign(words)
            sources = () if is_alone else self.evidence.texts
            near = nearest_pieces(sources, words, self.evidence.language, most=PIECES_BESIDE, least=TELLING_WORDS_LEAST)
            self._inputs[words] = beside_pages(words, near)
        return self._inputs[words]

    def _support(self, words: str, *, is_thin: bool = False) -> Support:
        vector = self._vector(words)
        if vector is None or not (is_thin or self.evidence.is_foreign(words)):
            return self.evidence.support(words)
        windows = [self._vectors[text] for text in self.evidence.windows if text in self._vectors]
        nearest = float((np.array(windows) @ np.array(vector)).max()) if windows else 0.0  # vectors have length 1
        return self.evidence.support(words, nearest)

    def _rejection_reason(self, words: str, before: str, support: Support, *, by: Author) -> str:
        """Return why a sentence is withheld; "" if it is not. Quotations by the built-in answerer never count as
        deeds.
        """
        if by == "model" and self._is_repeated(words):
            return "repeated"
        if found := objection(words, before, self.evidence, self._confidential):
            return found
        return "deed" if by == "model" and not support.is_quoted and self._is_deed(words, support) else ""

    def _is_repeated(self, words: str) -> bool:
        if len(words) <= SHORT or not any(map(str.isalnum, words)):
            return False
        self._repetitions[words] += 1
        return self._repetitions[words] > (MOST_STEPS if list_mark(words) else REPEATED)

    def _is_deed(self, words: str, support: Support) -> bool:
        alike = self.evidence.in_their_words(words)
        if any(map(self._is_hidden_deed, self._clauses(words, alike))):
            return True
        return is_deed(
            words,
            self._read(words),
            in_their_words=alike,
            support=support.score,
            is_spent=self._asked >= MAX_VECTORS,
            records_decide=self._records_decide(words),
        )

    def _records_decide(self, words: str) -> bool:
        """Return whether the records decide about a sentence even if it is probably not a deed. They do not if the
        sentence is a fragment, if a page contains its words, or if the records do not contain its figures.
        """
        if not self._facts or len(words.split()) < LEAST_RECORD:
            return False
        terms = self.evidence.telling(words)
        if any(source.share(terms) >= CITED_FROM for source in self.evidence.sources):
            return False
        return self._records.have_figures_of(words, self.evidence.language)

    def _clauses(self, words: str, alike: float) -> list[str]:
        """Return the clauses of a question, or of a sentence that follows a page's wording, because these could hide a
        deed.
        """
        if alike < COVERED_FROM and not words.endswith(QUESTIONS):
            return []
        parts = [as_read(part) for part in _CLAUSE.split(words)]
        return [part for part in parts if len(parts) > 1 and len(part.split()) >= LEAST_RECORD]

    def _is_hidden_deed(self, clause: str) -> bool:
        """Return whether a clause, read on its own, clearly claims a deed, without using a page's words and without a
        record that confirms it.
        """
        if self.evidence.in_their_words(clause) >= COVERED_FROM:
            return False
        read, kind = self._read(clause), by_pieces(clause)
        surely = joint(kind, read) if read is not None else kind.deed
        return surely >= SURE_FROM and not self._records.hold(clause, self.evidence.language)

    def _is_claim(self, words: str, kind: Kind, support: Support) -> bool:
        """Return whether a sentence needs a source. Questions, introductions, headings and talk that no page contains
        need none. A sentence that shares no word with anything is not talk, whatever it looks like.
        """
        if words.rstrip("*_ ").endswith((*QUESTIONS, *LEADS)) or words.startswith("#"):
            return False
        is_near = (support.score or 0.0) >= CITED_FROM
        return kind.needs_ground or is_near or self.evidence.is_unheard_of(words)

    def _needs_second_look(self, words: str, support: Support) -> bool:
        if not self._looks_twice or support.is_quoted:
            return False
        return _is_below(support, LITTLE_SUPPORT) or self._doubts.of(words) >= LOOK_FROM


def _is_below(support: Support, least: float) -> bool:
    return support.score is not None and support.score < least
