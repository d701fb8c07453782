"""What a sentence of an answer rests on: how much of it the sources say together, and which span of which one. Pure.

Support is the share of a sentence's telling words that the sources have, all of them together: on real models' answers
it tells faithful from unfaithful as well as a model that judges (docs/decisions/checks-by-harm.md). Where sentence and
sources are in different languages words say nothing, and the nearness of vectors stands in.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final

from kb.search import Passage
from supportbot.assistant.checks.sources import Source
from supportbot.chat.answers import CitedSpan
from supportbot.language.detection import detect
from supportbot.language.figures import Known, known_figures
from supportbot.language.links import comparable, links_in, mail_addresses_in
from supportbot.language.words import stem, stop_words, words

CITED_FROM: Final = 0.45  # of a sentence's telling words in one passage, for that passage to be its source
FAR_BELOW: Final = 0.2  # support that faithful answers' sentences practically never have
MOST_CITED: Final = 3  # sources of one sentence
LEAST_QUOTED: Final = 3  # words: "Yes" in a table is no source of a "Yes."
# The cosine of a sentence with the nearest window of the sources at which support is a half, in the sources' language
# and in another, and how steep it rises. From help pages and statements about them in nine languages.
_HALF_NEAR: Final = 0.88
_HALF_NEAR_ABROAD: Final = 0.835
_STEEP: Final = 60.0
_RUNS_ON: Final = re.compile(r"[ \t]*\n?[ \t>|*_•+-]*(?:\d{1,2}[.)])?[ \t|*_]*")  # no paragraph ends here


@dataclass(frozen=True, slots=True)
class Support:
    """How far the sources bear a sentence.

    `score` is between 0 and 1, None where neither words nor vectors can tell; `weight` is the number of its telling
    words. `is_quoted` says that it stands in a source word for word.
    """

    score: float | None
    weight: int
    is_quoted: bool = False


class Evidence:
    """All that an answer may rest on: numbered passages, what the shop's system said, what the customer wrote.

    `nearness` says how near a sentence's vector is to the nearest window of the passages, where languages differ.
    """

    def __init__(
        self,
        passages: Sequence[Passage],
        *,
        language: str,
        said: Iterable[str] = (),
        site: str = "",
        nearness: Callable[[Sequence[float]], float] | None = None,
    ) -> None:
        self.language = language
        self._site = site
        self._nearness = nearness
        self._sources = [Source(passage) for passage in passages]
        self._said = tuple(said)
        self._told: list[str] = []
        self._languages: dict[str, str] = {}
        addresses = [address for one in passages if one.url for address in (one.url, site + one.url)]
        texts = [f"{passage.title}\n{passage.heading}\n{passage.text}" for passage in passages]
        self.links = {comparable(address) for address in addresses}.union(
            *map(links_in, texts), *map(mail_addresses_in, self._said)
        )
        self._texts = texts

    def learn(self, text: str) -> None:
        """Let the answer rest on what was looked up or done as well, from here on."""
        self._told.append(text)
        self.links |= links_in(text)
        self.__dict__.pop("figures", None)
        self.__dict__.pop("_told_words", None)

    @cached_property
    def figures(self) -> Known:
        return known_figures([*self._texts, *self._told, *self._said])

    @cached_property
    def _told_words(self) -> frozenset[str]:
        return frozenset(stem(word, self.language) for text in self._told for word in words(text))

    @cached_property
    def _stems(self) -> dict[str, frozenset[str]]:
        """The stems of all passages of a language together."""
        found: dict[str, frozenset[str]] = {}
        for source in self._sources:
            found[source.language] = found.get(source.language, frozenset()) | source.stems
        return found

    def is_foreign(self, sentence: str) -> bool:
        """Return whether a sentence is in another language than all passages, so that its words cannot be compared."""
        return self._spoken(sentence) not in self._stems if self._sources else False

    def support(self, sentence: str, vector: Sequence[float] | None = None, *, is_thin: bool = False) -> Support:
        """Return how far all sources together bear a sentence.

        `vector` counts where its language is another, or where the words of the whole answer are few (`is_thin`).
        """
        if self.is_quoted(sentence):
            return Support(1.0, len(words(sentence)), is_quoted=True)
        asked = self._telling(sentence)
        if not asked:
            return Support(None, 0)
        found = sum(self._is_known(word) for word in asked) / len(asked)
        if self.is_foreign(sentence):
            if vector is None or self._nearness is None:
                return Support(found if found > CITED_FROM else None, len(asked))
            found = max(found, self._near(vector, _HALF_NEAR_ABROAD))
        elif is_thin and vector is not None and self._nearness is not None:
            found = max(found, self._near(vector, _HALF_NEAR))
        return Support(found, len(asked))

    def _near(self, vector: Sequence[float], half: float) -> float:
        nearness = self._nearness(vector) if self._nearness is not None else 0.0
        return 1 / (1 + math.exp(-_STEEP * (nearness - half)))

    def is_quoted(self, sentence: str) -> bool:
        """Return whether a sentence stands in a source word for word."""
        said = tuple(words(sentence))
        return len(said) >= LEAST_QUOTED and any(said in source.quotable for source in self._sources)

    def in_their_words(self, sentence: str) -> float:
        """Return which share of a sentence's neighbouring telling words are neighbours in a source as well.

        That a page has all words of a sentence says little: a page about refunds has those of any claim about one.
        """
        asked = self._telling(sentence)
        if len(asked) < 2:
            return 0.0
        found: set[int] = set()
        for source in self._sources:
            stems = [stem(word, source.language) for word in asked]
            wanted = set(stems)
            neighbours = set(pairwise(word.stem for word in source.words if word.stem in wanted))
            found.update(place for place, pair in enumerate(pairwise(stems)) if pair in neighbours)
        return len(found) / (len(asked) - 1)

    def cited(self, sentence: str, named: Sequence[int], support: Support) -> dict[int, CitedSpan]:
        """Return the sources of a sentence by their numbers: those it names that speak of it, else the one that does.

        Where vectors speak for a sentence whose words do not, a source that is named is believed.
        """
        said, asked = tuple(words(sentence)), self._telling(sentence)
        numbers = [number for number in named if 1 <= number <= len(self._sources)]
        by_share = {number: self._share(number, said, asked) for number in numbers or range(1, len(self._sources) + 1)}
        best = sorted((number for number in by_share if by_share[number]), key=lambda one: -by_share[one])
        chosen = [number for number in best[:MOST_CITED] if by_share[number] >= CITED_FROM]
        if not numbers or (chosen and by_share[chosen[0]] == 1):
            chosen = chosen[:1]
        if not chosen and numbers and (support.score or 0) >= CITED_FROM:
            chosen = (best or numbers)[:1]
        return {number: self._span(number, said, asked) for number in chosen if self._sources[number - 1].units}

    def joined(self, one: CitedSpan, other: CitedSpan) -> CitedSpan | None:
        """Return one span for two that follow each other in a paragraph, list or row; None where they do not."""
        for source in self._sources:
            offset, text = source.passage.start, source.passage.text
            is_here = source.passage.article_id == one.article_id == other.article_id and offset <= one.start
            if is_here and one.end <= other.start and other.end <= offset + len(text):
                gap = text[one.end - offset : other.start - offset]
                if _RUNS_ON.fullmatch(gap):
                    return source.between(one.start - offset, other.end - offset, self._site)
        return None

    def _share(self, number: int, said: tuple[str, ...], asked: Sequence[str]) -> float:
        source = self._sources[number - 1]
        return 1.0 if said in source.quotable else min(0.99, source.share(asked))

    def _span(self, number: int, said: tuple[str, ...], asked: Sequence[str]) -> CitedSpan:
        source = self._sources[number - 1]
        first, stop = source.quotable.get(said) or source.best_run(asked)
        return source.span(first, stop, self._site)

    def _is_known(self, word: str) -> bool:
        if any(stem(word, language) in stems for language, stems in self._stems.items()):
            return True
        return stem(word, self.language) in self._told_words

    def _telling(self, sentence: str) -> list[str]:
        silent = stop_words(self._spoken(sentence))
        return [word for word in words(sentence) if word not in silent and (len(word) > 1 or not word.isascii())]

    def _spoken(self, sentence: str) -> str:
        """Return the language of a sentence: the answer's where most words are known, else what they look like."""
        if sentence not in self._languages:
            said = words(sentence)
            is_plain = self.language in self._stems and 2 * sum(map(self._is_known, said)) >= len(said)
            self._languages[sentence] = self.language if is_plain else detect(sentence, self.language)
        return self._languages[sentence]
