"""The evidence for an answer: how far the sources together support each sentence, whether they support the answer as a
whole, and which spans of the sources it may cite. Pure.

Support is the share of a sentence's content words that occur in the sources, taken together. In tests with real models,
this distinguished faithful from unfaithful answers as well as a judging model did (docs/decisions/checks-by-harm.md).
If a sentence and the sources are in different languages, the similarity of their vectors is used instead of words.

Spans are ranges of characters in the revision's body. Each consists of whole sentences, list items or cells, split in
the same way as an answer.
"""

import math
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import chain, groupby, islice, pairwise
from typing import Final, Literal, NamedTuple

from kb.article_urls import passage_address
from kb.file_page_markers import page_within
from kb.search import Passage
from supportbot.assistant.checks.cross_encoders import windows_of_page
from supportbot.chat.answers import CitedSpan
from supportbot.language.detection import base_language, detect
from supportbot.language.figures import Known, known_figures
from supportbot.language.links import comparable, links_in, mail_addresses_in
from supportbot.language.sentences import opens_fence, sentences_of, without_list_mark, without_markers
from supportbot.language.words import stem, stems, stop_words, words

MAX_RUN: Final = 3  # sentences of a source that one span may join
_EXTRA_SENTENCE: Final = 0.08  # share of the wanted words that a further sentence must add
_LINK_TARGET: Final = re.compile(r"(?<=\])\([^)\s]*\)")
_CELL: Final = re.compile(r"[^|]+")
_MARKS: Final = re.compile(r"(?:\s|>|#{1,6}\s|[-*+•]\s|\d{1,2}[.)]\s)*")  # marks of headings, quotations and list items
CITED_FROM: Final = 0.45  # a passage is cited if it has at least this share of a sentence's content words
FAR_BELOW: Final = 0.2  # sentences of faithful answers practically never have less support
MAX_WINDOWS: Final = 12  # for all pages of an answer together
_UNHEARD_OF_FROM: Final = 3  # number of words; shorter sentences may be talk
MIN_QUOTED: Final = 3  # minimum number of words: "Yes" in a table is not a source for "Yes."
# At this cosine similarity to the nearest window of the sources, the support of a sentence is one half. The second
# value is for sentences in a language other than that of the sources; _STEEP says how fast support rises around both
# values. All three were fitted to help pages and statements in nine languages.
_HALF_NEAR: Final = 0.88
_HALF_NEAR_ABROAD: Final = 0.835
_STEEP: Final = 60.0
Author = Literal["model", "builtin"]
Strictness = Literal["strict", "balanced", "open"]
STRICTNESS: Final[tuple[Strictness, ...]] = ("strict", "balanced", "open")
# An answer is confirmed if the mean support of its claims is at least this. In a test with 97 faithful and 29
# unfaithful answers from two models (docs/decisions/checks-by-harm.md), one in twelve faithful answers and six in seven
# unfaithful ones were not confirmed.
CONFIRMED_FROM: Final = 0.7
MAX_WEIGHT: Final = 30  # words counted per sentence, so that an endless one does not outweigh the others


def key_of(sentence: str) -> tuple[str, ...]:
    """Return a key that is the same for sentences with the same words."""
    return tuple(words(without_list_mark(sentence)))


class _Unit(NamedTuple):
    """A sentence, line or cell: its position in the passage, in characters, and its words. The cells of a row have the
    same `line`; `column` counts them from 0, and is -1 outside of tables.
    """

    start: int
    end: int
    line: int
    column: int
    words: tuple[str, ...]
    stems: tuple[str, ...]


class _ParsedPassage:
    """A passage's text, split into units. The result is cached, because popular pages are cited in many answers."""

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
            joined: tuple[str, ...] = ()
            for last in range(first, min(first + MAX_RUN, len(self.units))):
                joined += self.units[last].words
                found.setdefault(joined, (first, last))
        return found

    def _rows(self) -> Iterator[tuple[tuple[str, ...], tuple[int, int]]]:
        """Yield the words of each table row and its first and last cell; then the same with the names of the columns
        added, as readers see the row.
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
                tokens = words(_LINK_TARGET.sub("", self._text[start : at + offset + len(cell)]))
                if tokens:
                    end = at + offset + len(cell.rstrip())
                    yield _Unit(
                        start, end, line, column, tuple(tokens), tuple(stem(word, self._language) for word in tokens)
                    )
            at += len(sentence)


@lru_cache(maxsize=500)
def _read(text: str, language: str) -> _ParsedPassage:
    return _ParsedPassage(text, language)


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
        """The words of each unit, of each run of up to three units, and of each table row, with the positions of the
        first and the last unit.
        """
        return self._reading.quotable

    def neighbours(self, wanted: Collection[str]) -> set[tuple[str, str]]:
        """Return the pairs of these stems that follow each other in the page, ignoring other words between them."""
        places = self._reading.places
        found = sorted((at, one) for one in set(wanted) for at in places.get(one, ()))
        return {(one, next_one) for (_, one), (_, next_one) in pairwise(found)}

    def share(self, terms: Sequence[str]) -> float:
        return sum(stem(word, self.language) in self.stems for word in terms) / len(terms) if terms else 0.0

    def best_run(self, terms: Sequence[str]) -> tuple[int, int]:
        """Return the first and last position of the units that together have most of these words."""
        wanted = {stem(word, self.language) for word in terms}
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
        """Return the span of these units with its address. `site` completes the addresses of our own help pages."""
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


@dataclass(frozen=True, slots=True)
class Support:
    """How far the sources support a sentence.

    `score` is between 0 and 1, or None if neither words nor vectors can tell; `weight` is the number of the sentence's
    content words. `is_quoted`: a source contains the sentence word for word.
    """

    score: float | None
    weight: int
    is_quoted: bool = False


@lru_cache(maxsize=500)
def _links_of_page(text: str) -> frozenset[str]:
    return frozenset(links_in(text))


class Evidence:
    """Everything that may support an answer: numbered pages, what the shop's system returned, what the customer wrote,
    and the time (`now`), which supports only sentences that state today's date.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        *,
        language: str,
        customer_messages: Iterable[str] = (),
        site: str = "",
        now: str = "",
    ) -> None:
        self.language = language
        self.sources = [Source(passage) for passage in passages]
        self.texts = [f"{passage.title}\n{passage.heading}\n{passage.text}" for passage in passages]
        self._customer_messages = tuple(customer_messages)
        self._now = now
        self._learned: list[str] = []
        self._done: list[str] = []
        self._learned_stems: set[str] = set()
        self._languages: dict[str, str] = {}
        self._quoted: dict[str, bool] = {}
        addresses = [address for one in passages if one.url for address in (one.url, site + one.url)]
        self.links = {comparable(address) for address in addresses}.union(
            *map(_links_of_page, self.texts), *map(mail_addresses_in, self._customer_messages)
        )

    def learn(self, text: str, *, is_done: bool = False) -> None:
        """Treat this text about what was looked up or done as evidence from now on."""
        self.links |= links_in(text)
        (self._done if is_done else self._learned).append(text)
        self._learned_stems.update(stems(text, self.language))
        self.__dict__.pop("figures", None)

    @cached_property
    def time(self) -> Known:
        return known_figures([self._now])

    @cached_property
    def figures(self) -> Known:
        return known_figures([*self.texts, *self._learned, *self._customer_messages], notes=self._done)

    @cached_property
    def _stems(self) -> dict[str, frozenset[str]]:
        """The stems of all passages, by language."""
        found: dict[str, frozenset[str]] = {}
        for source in self.sources:
            found[source.language] = found.get(source.language, frozenset()) | source.stems
        return found

    @cached_property
    def windows(self) -> tuple[str, ...]:
        """The texts that a sentence is compared with, by meaning: windows of two sentences from the first pages."""
        pages = (windows_of_page(source.passage.title, source.passage.text) for source in self.sources)
        return tuple(dict.fromkeys(islice(chain.from_iterable(pages), MAX_WINDOWS)))

    def is_foreign(self, sentence: str) -> bool:
        """Return whether a sentence's language differs from that of all passages, so that their words cannot be
        compared.
        """
        return self._spoken(sentence) not in self._stems if self.sources else False

    def support(self, sentence: str, similarity: float | None = None) -> Support:
        """Return how far all sources together support a sentence.

        `similarity` is the cosine similarity to the nearest window. It is given if the sentence is in a language other
        than that of the sources, or if the words of a short answer do not confirm it.
        """
        if self.is_quoted(sentence):
            return Support(1.0, len(words(sentence)), is_quoted=True)
        terms = self.telling(sentence)
        if not terms:
            return Support(None, 0)
        found = sum(map(self._is_known, terms)) / len(terms)
        is_foreign = self.is_foreign(sentence)
        if similarity is not None:
            half = _HALF_NEAR_ABROAD if is_foreign else _HALF_NEAR
            found = max(found, 1 / (1 + math.exp(-_STEEP * (similarity - half))))
        elif is_foreign and found <= CITED_FROM:
            return Support(None, len(terms))
        return Support(found, len(terms))

    def is_quoted(self, sentence: str) -> bool:
        """Return whether a source contains the sentence word for word."""
        if sentence not in self._quoted:  # asked several times for each sentence
            key = key_of(sentence)
            self._quoted[sentence] = len(key) >= MIN_QUOTED and any(key in source.quotable for source in self.sources)
        return self._quoted[sentence]

    def in_their_words(self, sentence: str) -> float:
        """Return the share of a sentence's pairs of neighbouring content words that are neighbours in a source, too.

        A page that contains all words of a sentence proves little: a page about refunds contains the words of any claim
        about a refund.
        """
        terms = self.telling(sentence)
        if len(terms) < 2:
            return 0.0
        found: set[int] = set()
        for source in self.sources:
            stems = [stem(word, source.language) for word in terms]
            neighbours = source.neighbours(stems)
            found.update(place for place, pair in enumerate(pairwise(stems)) if pair in neighbours)
        return len(found) / (len(terms) - 1)

    def names(self, token: str) -> bool:
        """Return whether this token is a stop word, a customer's message contains it, or a source or a look-up contains
        any form of the word.
        """
        folded = token.casefold()
        return folded in self.figures.text or folded in stop_words(self.language) or self._is_known(folded)

    def is_unheard_of(self, sentence: str) -> bool:
        """Return whether none of a sentence's words is a stop word or occurs in a source; such a sentence cannot be
        talk.

        The result is False for short sentences and for languages without known stop words.
        """
        tokens, silent = words(sentence), stop_words(self._spoken(sentence))
        return (
            len(tokens) >= _UNHEARD_OF_FROM
            and bool(silent)
            and not any(w in silent or self._is_known(w) for w in tokens)
        )

    def _is_known(self, word: str) -> bool:
        if any(stem(word, language) in known for language, known in self._stems.items()):
            return True
        return stem(word, self.language) in self._learned_stems

    def telling(self, sentence: str) -> list[str]:
        """Return the content words of a sentence, casefolded."""
        silent = stop_words(self._spoken(sentence))
        return [word for word in words(sentence) if word not in silent and (len(word) > 1 or not word.isascii())]

    def _spoken(self, sentence: str) -> str:
        """Return the language of a sentence: the answer's if most words are known in it, otherwise the detected one."""
        if sentence not in self._languages:
            tokens = words(sentence)
            is_plain = self.language in self._stems and 2 * sum(map(self._is_known, tokens)) >= len(tokens)
            self._languages[sentence] = self.language if is_plain else detect(sentence, self.language)
        return self._languages[sentence]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A checked sentence: the text to show, with renumbered markers and trailing blanks, or why it is withheld."""

    raw: str  # as the model wrote it
    shown: str
    support: Support
    is_claim: bool = True
    is_recorded: bool = False  # the ledger or a look-up says so
    is_regret: bool = False  # it says that something is not known, cannot be done or was not done
    withheld: str = ""
    cited: tuple[int, ...] = ()
    needs_second_look: bool = False

    @property
    def words(self) -> str:
        return without_markers(self.raw)

    @property
    def needs_ground(self) -> bool:
        """Whether the sentence is shown and needs the support of the sources."""
        return self.is_claim and not self.is_recorded and not self.withheld


def is_confirmed(sentences: Sequence[Sentence]) -> bool | None:
    """Return whether the sources support the claims of an answer as a whole; None for an answer without claims.

    Sentences based on the ledger or a look-up count as confirmed.
    """
    mean = mean_support(sentences)
    if mean is None:
        return True if any(one.is_recorded for one in sentences) else None
    return mean >= CONFIRMED_FROM


def mean_support(sentences: Sequence[Sentence]) -> float | None:
    """Return the mean support of the claims, weighted by content words. Claims that could not be compared are left
    out.
    """
    claims = [one.support for one in sentences if one.needs_ground]
    weighed = [(claim.score, min(claim.weight, MAX_WEIGHT)) for claim in claims if claim.score is not None]
    total = sum(weight for _, weight in weighed)
    return sum(score * weight for score, weight in weighed) / total if total else None
