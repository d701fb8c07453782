"""Finding what a sentence rests on: the span of a passage that says it. Pure.

A quotation is found word for word, whatever Markdown marks stand between the words. A paraphrase is found by the
sentences that share most of its meaningful words. The span is in characters of the revision's body.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from kb.addresses import passage_address
from kb.search import Passage
from supportbot.chat.turns import CitedSpan
from supportbot.llm.extractive.words import STOP_WORDS, stem

_WORD: Final = re.compile(r"[^\W_]+")
_LINK_TARGET: Final = re.compile(r"(?<=\])\([^)\s]*\)")
# A quotation keeps the marks of its first and last word, so that it is whole Markdown of its own.
_OPENING: Final = re.compile(r"[*_~`]{1,3}\Z")
_CLOSING: Final = re.compile(r"""[*_~`]{0,3}(?:\]\([^)\s]*\))?[*_~`]{0,3}[.!?…]?["”’»)]?[*_~`]{0,3}""")
MIN_SUPPORT: Final = 0.35  # of a sentence's meaningful words, to accept a source the model named itself
MIN_UNASKED_SUPPORT: Final = 0.7  # to give a source to a sentence that named none
_BREAK: Final = re.compile(r"""\n|\||[.!?…]["”’»)*_]*\s""")
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
            _Word(match.group().lower(), stem(match.group().lower()), match.start(), match.end())
            for match in _WORD.finditer(text)
        ]

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(word.stem for word in self._words)

    def support(self, sentence: str) -> Support | None:
        """Return the best span for the sentence; None if nothing in here speaks of it."""
        asked = [match.group().lower() for match in _WORD.finditer(sentence)]
        if not asked or not self._words:
            return None
        return self._quotation(asked) or self._paraphrase(asked)

    def _quotation(self, asked: Sequence[str]) -> Support | None:
        texts = [word.text for word in self._words]
        for first in range(len(texts) - len(asked) + 1):
            if texts[first] == asked[0] and texts[first : first + len(asked)] == list(asked):
                return self._span(first, first + len(asked) - 1, share=1.0, is_quotation=True)
        return None

    @cached_property
    def _sentences(self) -> list[range]:
        """The places of the words of each sentence, line or cell."""
        words, text = self._words, self.passage.text
        ends = [
            place + 1
            for place in range(len(words) - 1)
            if _BREAK.search(text, words[place].end, words[place + 1].start)
        ]
        return [range(first, last) for first, last in pairwise([0, *ends, len(words)])]

    def _paraphrase(self, asked: Sequence[str]) -> Support | None:
        """Return the sentence, or the run of sentences, that shares most of the meaningful words."""
        wanted = _stems(asked)
        if wanted.isdisjoint(self.stems):
            return None
        best = max(self._runs(), key=lambda run: self._share(run, wanted) - _EXTRA_SENTENCE * (len(run) - 1))
        share = self._share(best, wanted)
        return self._span(best[0].start, best[-1].stop - 1, share=share, is_quotation=False) if share else None

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
        start, end = opening.start() if opening else start, closing.end() if closing else end
        offset = self.passage.start
        return Support(self.passage, offset + start, offset + end, share, is_quotation)


def meaningful_stems(text: str) -> set[str]:
    """Return the stems of a text's words but for those that every text has."""
    return _stems(match.group().lower() for match in _WORD.finditer(text))


def _stems(words: Iterable[str]) -> set[str]:
    return {stem(word) for word in words if word not in STOP_WORDS}


class Sources:
    """The numbered passages of one request."""

    def __init__(self, passages: Sequence[Passage]) -> None:
        self._passages = [IndexedPassage(passage) for passage in passages]

    def named(self, number: int, sentence: str, *, language: str) -> Support | None:
        """Return the support of a source the sentence names by number; None if that one does not bear it.

        An answer in another language than its source shares no words with it: there the marker itself counts, and the
        numbers are checked elsewhere.
        """
        if not 1 <= number <= len(self._passages):
            return None
        indexed = self._passages[number - 1]
        support = indexed.support(sentence)
        if support is not None and support.share >= MIN_SUPPORT:
            return support
        if indexed.passage.locale and not indexed.passage.locale.startswith(language):
            passage = indexed.passage
            return Support(passage, passage.start, passage.end, share=0.0, is_quotation=False)
        return None

    def unasked(self, sentence: str) -> Support | None:
        """Return the best support among all passages for a sentence that names none, if it is strong enough."""
        found = [support for indexed in self._passages if (support := indexed.support(sentence)) is not None]
        best = max(found, key=lambda support: (support.is_quotation, support.share), default=None)
        return best if best is not None and best.share >= MIN_UNASKED_SUPPORT else None
