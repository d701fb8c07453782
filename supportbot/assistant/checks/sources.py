"""A page that an answer may cite: its sentences with their positions, and the cited spans. Pure.

Spans are in characters of the revision's body. Each consists of whole sentences, list items or cells, split as an
answer is.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain, groupby, pairwise
from typing import Final, NamedTuple

from kb.article_urls import passage_address
from kb.file_page_markers import page_within
from kb.search import Passage
from supportbot.chat.answers import CitedSpan
from supportbot.language.detection import base_language, detect
from supportbot.language.sentences import opens_fence, sentences_of, without_list_mark
from supportbot.language.words import stem, words

MAX_RUN: Final = 3  # sentences of a source that one span may join
_EXTRA_SENTENCE: Final = 0.08  # what another sentence must add to be worth showing
_LINK_TARGET: Final = re.compile(r"(?<=\])\([^)\s]*\)")
_CELL: Final = re.compile(r"[^|]+")
_MARKS: Final = re.compile(r"(?:\s|>|#{1,6}\s|[-*+•]\s|\d{1,2}[.)]\s)*")  # of a heading, a quotation, a list's item


def key_of(sentence: str) -> tuple[str, ...]:
    """Return a key that is equal for sentences with the same words."""
    return tuple(words(without_list_mark(sentence)))


class _Unit(NamedTuple):
    """A sentence, line or cell: characters of the passage, and its words. The cells of a row have the same `line`;
    `column` counts them from 0, and is -1 outside of tables.
    """

    start: int
    end: int
    line: int
    column: int
    words: tuple[str, ...]
    stems: tuple[str, ...]


class _Reading:
    """A passage's text, taken apart. Popular pages are cited in one answer after another, so readings are kept."""

    def __init__(self, text: str, language: str) -> None:
        self._text = text
        self._language = language

    @cached_property
    def units(self) -> list[_Unit]:
        return list(self._units())

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset[str]().union(*(unit.stems for unit in self.units))

    @cached_property
    def places(self) -> dict[str, list[int]]:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for at, one in enumerate(one for unit in self.units for one in unit.stems):
            found[one].append(at)
        return dict(found)

    @cached_property
    def quotable(self) -> dict[tuple[str, ...], tuple[int, int]]:
        found = dict(self._rows())
        for first in range(len(self.units)):
            said: tuple[str, ...] = ()
            for last in range(first, min(first + MAX_RUN, len(self.units))):
                said += self.units[last].words
                found.setdefault(said, (first, last))
        return found

    def _rows(self) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
        """Yield the words of each row of a table, however many cells it has, and its first and last one; also with the
        names of the columns, as a reader is told them.
        """
        names: dict[int, int] = {}
        for _, cells in groupby(range(len(self.units)), key=lambda at: self.units[at].line):
            row = {self.units[at].column: at for at in cells}
            span = min(row.values()), max(row.values())
            if -1 in row:
                names = {}
                continue
            yield self._words(row.values()), span
            if names:
                named = ([names[column], at] if column in names and column else [at] for column, at in row.items())
                yield self._words(chain.from_iterable(named)), span
            names = names or row

    def _words(self, units: Iterable[int]) -> tuple[str, ...]:
        return tuple(word for at in units for word in self.units[at].words)

    def _units(self) -> Iterator[_Unit]:
        at = 0
        for line, sentence in enumerate(sentences_of(self._text)):
            is_row = "|" in sentence and not opens_fence(sentence)
            cells = [(m.start(), m[0]) for m in _CELL.finditer(sentence)] if is_row else [(0, sentence)]
            edge = sentence.lstrip().startswith("|")
            for offset, cell in cells:
                column = sentence.count("|", 0, offset) - edge if is_row else -1
                marks = _MARKS.match(cell)
                start = at + offset + (marks.end() if marks else 0)
                said = words(_LINK_TARGET.sub("", self._text[start : at + offset + len(cell)]))
                if said:
                    end = at + offset + len(cell.rstrip())
                    yield _Unit(
                        start, end, line, column, tuple(said), tuple(stem(word, self._language) for word in said)
                    )
            at += len(sentence)


@lru_cache(maxsize=500)
def _read(text: str, language: str) -> _Reading:
    return _Reading(text, language)


class Source:
    """A numbered passage whose words can be looked up with their positions."""

    def __init__(self, passage: Passage) -> None:
        self.passage = passage
        self.language = base_language(passage.locale) if passage.locale else detect(passage.text, "en")
        self._reading = _read(passage.text, self.language)

    @property
    def units(self) -> Sequence[_Unit]:
        return self._reading.units

    @cached_property
    def stems(self) -> frozenset[str]:
        title = (stem(word, self.language) for word in words(self.passage.title))
        return self._reading.stems.union(title)

    @property
    def quotable(self) -> Mapping[tuple[str, ...], tuple[int, int]]:
        """The words of each unit, of up to three in a row and of each row of a table, with the positions of the first
        and the last unit.
        """
        return self._reading.quotable

    def neighbours(self, wanted: Collection[str]) -> set[tuple[str, str]]:
        """Return which of these stems follow each other in the page, whatever other words stand between them."""
        places = self._reading.places
        found = sorted((at, one) for one in set(wanted) for at in places.get(one, ()))
        return {(one, next_one) for (_, one), (_, next_one) in pairwise(found)}

    def share(self, asked: Sequence[str]) -> float:
        return sum(stem(word, self.language) in self.stems for word in asked) / len(asked) if asked else 0.0

    def best_run(self, asked: Sequence[str]) -> tuple[int, int]:
        """Return the first and last position of the units that cover most of the words asked for."""
        wanted = {stem(word, self.language) for word in asked}
        found = [wanted.intersection(unit.stems) for unit in self.units]
        first = last = max(range(len(found)), key=lambda at: len(found[at]))
        have = found[first]
        while last - first + 1 < MAX_RUN:
            beside = [at for at in (first - 1, last + 1) if 0 <= at < len(found)]
            more = max(beside, key=lambda at: len(found[at] - have), default=None)
            if more is None or len(found[more] - have) <= _EXTRA_SENTENCE * max(1, len(wanted)):
                break
            first, last, have = min(first, more), max(last, more), have | found[more]
        return first, last

    def span(self, first: int, last: int, site: str) -> CitedSpan:
        """Return the span of these units with its address; `site` completes addresses of our own help pages."""
        return self.between(self.units[first].start, self.units[last].end, site)

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
            page=page_within(text, start, passage.page),
        )
