"""Finding the sentences of an unpublished text that contradict live articles or repeat them.

Only words and figures are compared, so no model is needed. Two statements (sentences, or cells of tables) are about the
same thing if they share most of their words, unless each of them mentions something that the other does not. If a
period, measure or amount with the same unit then differs, they contradict each other. This is only a hint, since two
sentences that differ only in their conditions look the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import Final
from uuid import UUID

from kb.access import Surface, Viewer
from kb.figure_statements import Statement, same_subject, statements_of
from kb.models import Audience
from kb.search import Passage, search
from kb.validation import ArticleText
from supportbot.language.figures import without_figures
from supportbot.language.plain_text import plain
from supportbot.language.words import content_stems

# Measured on the articles of examples/knowledge, which do not contradict each other: 2 pairs of statements about
# different things are reported. Of 53 false statements with figures in examples/evaluation/twins.jsonl, 17 are found.
# tests/kb/contradictions.jsonl has rows and sentences about the same thing and about different ones.
SAME_TOPIC: Final = 0.65  # shared part of the shorter sentence's words, weighted by rarity
SAME_TEXT: Final = 0.8  # the same share, for all words of two paragraphs
SAME_SCOPE: Final = 0.35  # the same share, for the longer sentence
MIN_SHARED: Final = 2
MIN_WORDS_OF_A_PARAGRAPH: Final = 8
NEAREST: Final = 6  # passages compared with each sentence
MAX_SENTENCES: Final = 60
MAX_PARAGRAPHS: Final = 40


@dataclass(frozen=True, slots=True)
class Conflict:
    """A sentence of the text, and a live article's sentence that contradicts it or, for a duplicate, says the same."""

    ours: str
    theirs: str
    article_id: UUID
    title: str


@dataclass(frozen=True, slots=True)
class Findings:
    contradictions: tuple[Conflict, ...]
    duplicates: tuple[Conflict, ...]


def findings(wording: ArticleText, *, locale: str, article_id: UUID | None) -> Findings:
    """Return where a text contradicts or repeats live articles of any audience, except for the text's own article
    (`article_id`).
    """
    viewer = Viewer(audience=Audience.INTERNAL, locale=locale, surface=Surface.ALL)
    return Findings(
        tuple(_contradictions(wording, viewer, locale, article_id)), tuple(_duplicates(wording, viewer, article_id))
    )


class Rarity:
    """The weights of words, by how much they say about a sentence's subject: words in fewer sentences say more."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._counts = Counter(stem for one in statements for stem in one.stems)
        self._total = len(statements)

    def of(self, stems: Iterable[str]) -> float:
        return sum(log(1 + self._total / (self._counts[stem] or 1)) for stem in stems)


def likeness(one: Statement, other: Statement, rarity: Rarity) -> float:
    """Return how similar the subjects of two sentences are, from 0 (unrelated) to 2."""
    both, (fewer, more) = one.stems & other.stems, sorted((rarity.of(one.stems), rarity.of(other.stems)))
    if not fewer or len(both) < min(MIN_SHARED, len(one.stems), len(other.stems)):
        return 0.0
    of_fewer, of_more = rarity.of(both) / fewer, rarity.of(both) / more
    return of_fewer + of_more if of_fewer >= SAME_TOPIC and of_more >= SAME_SCOPE else 0.0


def contradict(one: Statement, other: Statement) -> bool:
    """Return whether two statements may be about the same thing and share a unit, but no figure with this unit."""
    if not same_subject(one, other):
        return False
    units = one.values.keys() & other.values.keys()
    return bool(units) and all(one.values[unit].isdisjoint(other.values[unit]) for unit in units)


def _contradictions(wording: ArticleText, viewer: Viewer, locale: str, article_id: UUID | None) -> Iterator[Conflict]:
    """Yield, for each sentence, only the most similar contradiction, since nobody would read them all."""
    own = list(statements_of(wording.body, locale))[:MAX_SENTENCES]
    found = [_others(without_figures(ours.text), viewer, article_id) for ours in own]
    passages = {passage.chunk_id: passage for some in found for passage in some}
    statements = {pk: list(statements_of(passage.text, locale)) for pk, passage in passages.items()}
    rarity = Rarity([*own, *(theirs for some in statements.values() for theirs in some)])
    for ours, near in zip(own, found, strict=True):
        against = [
            (like, Conflict(ours.text, theirs.text, passage.article_id, passage.title))
            for passage in near
            for theirs in statements[passage.chunk_id]
            if contradict(ours, theirs) and (like := likeness(ours, theirs, rarity))
        ]
        if against:
            yield max(against, key=lambda pair: pair[0])[1]


def _duplicates(wording: ArticleText, viewer: Viewer, article_id: UUID | None) -> Iterator[Conflict]:
    locale, seen = viewer.locale or "", set[str]()
    for ours in list(_paragraphs(wording.body))[:MAX_PARAGRAPHS]:
        own = content_stems(ours, locale)
        if len(own) < MIN_WORDS_OF_A_PARAGRAPH:
            continue
        for passage in _others(ours, viewer, article_id):
            for theirs in _paragraphs(passage.text):
                others = content_stems(theirs, locale)
                if theirs not in seen and len(own & others) / len(own | others) >= SAME_TEXT:
                    seen.add(theirs)
                    yield Conflict(ours, theirs, passage.article_id, passage.title)


def _paragraphs(text: str) -> Iterator[str]:
    return (plain(one).strip() for one in text.split("\n\n") if one.strip())


def _others(text: str, viewer: Viewer, article_id: UUID | None) -> list[Passage]:
    found = search(text[:400], viewer=viewer, limit=NEAREST, mode="lexical").passages if text.strip() else ()
    return [passage for passage in found if passage.article_id != article_id]
