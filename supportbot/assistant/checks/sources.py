"""A page that an answer may rest on: its words with their places, its sentences, and the spans that are cited. Pure.

Spans are in characters of the revision's body, and each is whole sentences, list items or cells, whatever Markdown
stands between their words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from kb.addresses import passage_address
from kb.search import Passage
from supportbot.chat.answers import CitedSpan
from supportbot.language.detection import base_language, detect
from supportbot.language.sentences import goes_on
from supportbot.language.words import placed_words, stem, words

MOST_RUN: Final = 3  # sentences of a source that one span may join
_EXTRA_SENTENCE: Final = 0.08  # what another sentence must add to be worth showing
_LINK_TARGET: Final = re.compile(r"(?<=\])\([^)\s]*\)")
_OPENING: Final = re.compile(r"[*_~`]{1,3}\Z")
_CLOSING: Final = re.compile(r"""[*_~`]{0,3}(?:\]\([^)\s]*\))?[*_~`]{0,3}[.!?…。！？]?["”’»)]?[*_~`]{0,3}""")
_FENCE_END: Final = re.compile(r"[^\w\n]*\n[ ]{0,3}[`~]{3,}")  # a quoted block of code is quoted with its fence
_BREAK: Final = re.compile(r"""\n|\||[.!?…]["”’»)*_]*\s|[。！？]""")
_LIST_NUMBER: Final = re.compile(r"\d{1,2}|[a-z]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    stem: str
    start: int
    end: int


class Source:
    """A numbered passage whose words can be looked up with their places."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.language = base_language(passage.locale) if passage.locale else detect(passage.text, "en")

    @cached_property
    def words(self) -> list[_Word]:
        # Targets of links are not words of the text; blanks of the same length keep every place.
        text = _LINK_TARGET.sub(lambda target: " " * len(target.group()), self.passage.text)
        return [_Word(word, stem(word, self.language), start, end) for word, start, end in placed_words(text)]

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(word.stem for word in self.words) | {
            stem(word, self.language) for word in words(self.passage.title)
        }

    @cached_property
    def units(self) -> list[range]:
        """The places of the words of each sentence, line or cell."""
        ends = [at + 1 for at in range(len(self.words) - 1) if self._is_break(at)]
        edges = [0, *ends, len(self.words)]
        return [range(first, last) for first, last in pairwise(edges) if first < last]

    @cached_property
    def quotable(self) -> dict[tuple[str, ...], tuple[int, int]]:
        """The words of each sentence, line or cell, of up to three in a row, with and without a list item's number."""
        found: dict[tuple[str, ...], tuple[int, int]] = {}
        for at in range(len(self.units)):
            for last in range(at, min(at + MOST_RUN, len(self.units))):
                start, stop = self.units[at].start, self.units[last].stop
                for first in (start, start + 1) if self._begins_with_number(start, stop) else (start,):
                    found.setdefault(tuple(word.text for word in self.words[first:stop]), (first, stop))
        return found

    def share(self, asked: Sequence[str]) -> float:
        return sum(stem(word, self.language) in self.stems for word in asked) / len(asked) if asked else 0.0

    def best_run(self, asked: Sequence[str]) -> tuple[int, int]:
        """Return the words (first, behind the last) of the sentences that say most of what is asked."""
        wanted = {stem(word, self.language) for word in asked}
        found = [frozenset(self.words[at].stem for at in unit) & wanted for unit in self.units]
        best = max(range(len(found)), key=lambda at: len(found[at]))
        first = last = best
        have = found[best]
        while last - first + 1 < MOST_RUN:
            beside = [at for at in (first - 1, last + 1) if 0 <= at < len(found)]
            more = max(beside, key=lambda at: len(found[at] - have), default=None)
            if more is None or len(found[more] - have) <= _EXTRA_SENTENCE * max(1, len(wanted)):
                break
            first, last, have = min(first, more), max(last, more), have | found[more]
        return self.units[first].start, self.units[last].stop

    def span(self, first: int, stop: int, site: str) -> CitedSpan:
        """Return the span with the address at which it is read; `site` completes addresses of our own help pages."""
        text = self.passage.text
        start, end = self.words[first].start, self.words[stop - 1].end
        opening, closing = _OPENING.search(text, max(0, start - 3), start), _CLOSING.match(text, end)
        fence = _FENCE_END.match(text, end) if opening and opening.group() in ("```", "~~~") else None
        start, end = opening.start() if opening else start, max(m.end() if m else end for m in (closing, fence))
        return self.between(start, end, site)

    def between(self, start: int, end: int, site: str) -> CitedSpan:
        """Return the span of these characters of the passage."""
        passage, text = self.passage, self.passage.text
        address = passage_address(passage.url, passage.revision, passage.start + start, passage.start + end)
        return CitedSpan(
            article_id=passage.article_id,
            external_id=passage.external_id,
            title=passage.title,
            url=f"{site}{address}" if address.startswith("/") else address,
            revision=passage.revision,
            start=passage.start + start,
            end=passage.start + end,
            quote=text[start:end],
        )

    def _is_break(self, at: int) -> bool:
        found = _BREAK.search(self.passage.text, self.words[at].end, self.words[at + 1].start)
        return found is not None and not (found.group()[0] == "." and goes_on(self.passage.text, found.start() + 1))

    def _begins_with_number(self, start: int, stop: int) -> bool:
        if stop - start < 2 or not _LIST_NUMBER.fullmatch(self.words[start].text):
            return False
        return self.passage.text[self.words[start].end : self.words[start].end + 1] in (".", ")")
