"""Finding what a sentence rests on: the span of a passage that says it. Pure.

A quotation is whole sentences, list items or cells, found word for word, whatever Markdown marks stand between the
words: a piece of a sentence can say the opposite of it. A paraphrase is found by the sentences that share most of its
meaningful words, and must agree with them in saying yes or no. The span is in characters of the revision's body.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from kb.addresses import passage_address
from kb.search import Passage
from supportbot.assistant.guardrails.agreement import agrees, is_contradicted, shares_enough
from supportbot.assistant.guardrails.quantities import quantities_in
from supportbot.assistant.guardrails.said import Said, stems_of, telling
from supportbot.language.sentences import goes_on
from supportbot.chat.answers import CitedSpan
from supportbot.llm.extractive.words import STOP_WORDS, stem

_WORD: Final = re.compile(r"[^\W_]+")
_LINK_TARGET: Final = re.compile(r"(?<=\])\([^)\s]*\)")
# A quotation keeps the marks of its first and last word, so that it is whole Markdown of its own.
_OPENING: Final = re.compile(r"[*_~`]{1,3}\Z")
_CLOSING: Final = re.compile(r"""[*_~`]{0,3}(?:\]\([^)\s]*\))?[*_~`]{0,3}[.!?…]?["”’»)]?[*_~`]{0,3}""")
_FENCE_END: Final = re.compile(r"[^\w\n]*\n[ ]{0,3}[`~]{3,}")  # a quoted block of code is quoted with its fence
MIN_SUPPORT: Final = 0.5  # of a sentence's meaningful words, to accept a source the model named itself
MIN_UNASKED_SUPPORT: Final = 0.7  # to give a source to a sentence that named none
_BREAK: Final = re.compile(r"""\n|\||[.!?…]["”’»)*_]*\s""")
_LIST_MARK: Final = re.compile(r"\d{1,2}|[a-z]", re.IGNORECASE)
_MAX_RUN: Final = 3
_EXTRA_SENTENCE: Final = 0.08  # what another sentence must add to be worth showing


@dataclass(frozen=True)
class Support:
    """A span of a passage and the share of the sentence's meaningful words it holds; 1.0 and exact for a quotation."""

    passage: Passage
    start: int
    end: int
    share: float
    is_quotation: bool

    @property
    def is_foreign(self) -> bool:
        """Whether the sentence is in another language than its source, so that no word could be compared."""
        return not self.share and not self.is_quotation

    def as_span(self, site: str = "") -> CitedSpan:
        """Return the span with the address at which it is read; `site` completes addresses of our own help pages."""
        passage = self.passage
        address = passage_address(passage.url, passage.revision, self.start, self.end)
        begin, end = self.start - passage.start, self.end - passage.start
        return CitedSpan(
            article_id=passage.article_id,
            external_id=passage.external_id,
            title=passage.title,
            url=f"{site}{address}" if address.startswith("/") else address,
            revision=passage.revision,
            start=self.start,
            end=self.end,
            quote=passage.text[begin:end],
        )


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    stem: str
    start: int
    end: int


class IndexedPassage:
    """A passage whose words can be looked up with their places."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage

    @cached_property
    def _words(self) -> list[_Word]:
        # Targets of links are no words of the text; blanks of the same length keep every place.
        text = _LINK_TARGET.sub(lambda target: " " * len(target.group()), self.passage.text)
        return [
            _Word(match.group().lower(), telling(match.group().lower()), match.start(), match.end())
            for match in _WORD.finditer(text)
        ]

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(word.stem for word in self._words if word.stem)

    def support(self, sentence: str) -> Support | None:
        """Return the best span for the sentence; None if nothing in here speaks of it."""
        asked = [match.group().lower() for match in _WORD.finditer(sentence)]
        if not asked or not self._words:
            return None
        return self._quotation(asked) or self._paraphrase(stems_of(sentence))

    def _quotation(self, asked: Sequence[str]) -> Support | None:
        texts = [word.text for word in self._words]
        for first in sorted(self._starts):
            last = first + len(asked) - 1
            if last + 1 in self._ends and texts[first : last + 1] == list(asked):
                return self._span(first, last, share=1.0, is_quotation=True)
        return None

    @cached_property
    def _starts(self) -> frozenset[int]:
        """The places where a sentence, line or cell begins, with or without the mark of its list item."""
        firsts = {unit.start for unit in self._sentences if unit}
        marked = {unit.start + 1 for unit in self._sentences if self._begins_with_mark(unit)}
        return frozenset(firsts | marked)

    @cached_property
    def _ends(self) -> frozenset[int]:
        return frozenset(unit.stop for unit in self._sentences)

    def _begins_with_mark(self, unit: range) -> bool:
        if len(unit) < 2 or not _LIST_MARK.fullmatch(self._words[unit.start].text):
            return False
        return self.passage.text[self._words[unit.start].end] in ".)"

    @cached_property
    def _sentences(self) -> list[range]:
        """The places of the words of each sentence, line or cell."""
        words = self._words
        ends = [
            place + 1 for place in range(len(words) - 1) if self._is_break(words[place].end, words[place + 1].start)
        ]
        return [range(first, last) for first, last in pairwise([0, *ends, len(words)])]

    def _is_break(self, start: int, end: int) -> bool:
        found = _BREAK.search(self.passage.text, start, end)
        return found is not None and not (found.group()[0] == "." and goes_on(self.passage.text, found.start() + 1))

    def _paraphrase(self, wanted: set[str]) -> Support | None:
        """Return the sentence, or the run of sentences, that shares most of the meaningful words."""
        if wanted.isdisjoint(self.stems):
            return None
        best = max(self._runs(), key=lambda run: self._share(run, wanted) - _EXTRA_SENTENCE * (len(run) - 1))
        share = self._share(best, wanted)
        return self._span(best[0].start, best[-1].stop - 1, share=share, is_quotation=False) if share else None

    def bears(self, sentence: str, support: Support) -> bool:
        """Return whether the span says what the sentence says, as far as words show it: no rider, no turned "not"."""
        if support.is_quotation:
            return True
        said = Said(sentence)
        return shares_enough(said, self.stems) and agrees(said, self.units)

    @cached_property
    def units(self) -> list[Said]:
        """What each sentence, line or cell says, and each row, as far as it can be compared."""
        supports = (
            self._span(unit.start, unit.stop - 1, share=1.0, is_quotation=True) for unit in self._sentences if unit
        )
        rows = (line for line in self.passage.text.splitlines() if line.lstrip().startswith("|"))
        return [Said(text) for text in (*map(self._text_of, supports), *rows)]

    @property
    def _is_negated(self) -> bool:
        return any(unit.is_negated for unit in self.units)

    def in_another_language(self, sentence: str) -> Support | None:
        """Return the sentence with most of the same numbers, else the first; None if one says "not" and one does not.

        Words cannot be compared across languages: this shows only what cannot be wrong by its numbers or its "not".
        """
        numbers = {quantity.value for quantity in quantities_in(sentence)}
        shared = {unit: len(numbers & {self._words[place].text for place in unit}) for unit in self._sentences if unit}
        if not shared:
            return None
        best = max(shared, key=lambda unit: shared[unit])
        support = self._span(best.start, best.stop - 1, share=0.0, is_quotation=False)
        text, is_negated = self._text_of(support), Said(sentence).is_negated
        if shared[best]:
            return support if is_negated == Said(text).is_negated else None
        return support if not is_negated or self._is_negated else None

    def _text_of(self, support: Support) -> str:
        return self.passage.text[support.start - self.passage.start : support.end - self.passage.start]

    def _runs(self) -> Iterator[list[range]]:
        for first in range(len(self._sentences)):
            for length in range(1, _MAX_RUN + 1):
                yield self._sentences[first : first + length]

    def _share(self, run: list[range], wanted: set[str]) -> float:
        found = {self._words[place].stem for sentence in run for place in sentence}
        return len(wanted & found) / len(wanted)

    def _span(self, first: int, last: int, *, share: float, is_quotation: bool) -> Support:
        text = self.passage.text
        start, end = self._words[first].start, self._words[last].end
        opening, closing = _OPENING.search(text, max(0, start - 3), start), _CLOSING.match(text, end)
        fence = _FENCE_END.match(text, end) if opening and opening.group() in ("```", "~~~") else None
        start, end = opening.start() if opening else start, max(m.end() if m else end for m in (closing, fence))
        offset = self.passage.start
        return Support(self.passage, offset + start, offset + end, share, is_quotation)


def meaningful_stems(text: str) -> set[str]:
    """Return the stems of a text's words but for those that every text has."""
    words = (match.group().lower() for match in _WORD.finditer(text))
    return {stem(word) for word in words if word not in STOP_WORDS}


class Sources:
    """The numbered passages of one request."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = [IndexedPassage(passage) for passage in passages]

    def named(self, number: int, sentence: str, *, language: str) -> Support | None:
        """Return the support of a source the sentence names by number; None if that one does not bear it.

        An answer in another language than its source shares no words with it: there the marker counts where numbers and
        "not" agree. Whether such a sentence means the same nobody checks (docs/decisions/checked-drafts.md).
        """
        if not 1 <= number <= len(self._passages):
            return None
        indexed = self._passages[number - 1]
        support = indexed.support(sentence)
        if support is not None and support.share >= MIN_SUPPORT:
            return support if indexed.bears(sentence, support) and not self._is_denied(sentence, support) else None
        if indexed.passage.locale and not indexed.passage.locale.startswith(language):
            return indexed.in_another_language(sentence)
        return None

    def unasked(self, sentence: str) -> Support | None:
        """Return the best support among all passages for a sentence that names none, if it is strong enough."""
        found = [
            support
            for indexed in self._passages
            if (support := indexed.support(sentence)) is not None and indexed.bears(sentence, support)
        ]
        best = max(found, key=lambda support: (support.is_quotation, support.share), default=None)
        if best is None or best.share < MIN_UNASKED_SUPPORT or self._is_denied(sentence, best):
            return None
        return best

    def _is_denied(self, sentence: str, support: Support) -> bool:
        """Return whether another sentence of the sources speaks of the same and says the opposite."""
        if support.is_quotation:
            return False
        locale = support.passage.locale
        units = [unit for indexed in self._passages if indexed.passage.locale == locale for unit in indexed.units]
        return is_contradicted(Said(sentence), units)
