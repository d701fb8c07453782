"""Detects sentences that claim or promise a deed, and whether the ledger or a look-up confirms them. Pure.

A sentence is first classified by the pieces of its words. Only if these leave a doubt is it read beside the nearest
pieces of the pages: a shop's pages are full of refunds, and their sentences are rules.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from supportbot.assistant.checks.readings import DATA, Reading, Vector, Wanted, logits, reading
from supportbot.assistant.checks.sentence_kinds import Kind, by_pieces
from supportbot.language.classifiers import Array, Net, net_in, unit
from supportbot.language.detection import detect
from supportbot.language.figures import Figure, figures_in, known_figures, without_figures
from supportbot.language.normalise import as_read
from supportbot.language.words import beginnings, content_stems

# By pieces alone: below the first nothing is a deed, from the second on it is one where no vector can be had.
DOUBT_FROM: Final = 0.1
SURE_FROM: Final = 0.7
SPENT_FROM: Final = 0.5  # the same where an answer has had all its vectors: by then it has raised that many doubts
DEED_FROM: Final = 0.5  # of both models together
READ_SHARE: Final = 0.85  # of the one that reads the sentence beside the pages
# By pieces alone, the more of a sentence the pages have too, the surer one must be: by neighbouring words, and, since
# any page about refunds has the words of any claim about one, only a little by words alone.
IN_THEIR_WORDS: Final = (0.65, 0.7)
WITH_THEIR_WORDS: Final = (0.8, 0.6)
# Of the odds, as a logarithm, that a sentence says no more than the records. Late in a long answer, they are those of
# the comparison alone, which are less sure, so they must be higher.
RECORDED_FROM: Final = -1.75
ALONE_FROM: Final = -1.0
PAIR_SHARE: Final = 0.75  # how much the second opinion counts in them
NOTED: Final = 2  # records that the second opinion reads
OUTCOMES: Final = ("done", "failed", "looked_up", "refused", "waiting")  # of a deed, in the order of the net
LONGEST: Final = 40  # words that count for the length of a text
MANY: Final = 8  # of the words that are compared
MOST_COMPARED: Final = 4  # records beside a sentence; further ones only make it harder


def is_deed(
    sentence: str, read: Kind | None, *, in_their_words: float, support: float | None, is_spent: bool = False
) -> bool:
    """Return whether a sentence counts as a deed.

    `read` is its kind as read beside the pages, None without a vector, which `is_spent` explains: the answer has had
    all it may have. `in_their_words` is the share of its neighbouring words that are neighbours in a page, `support`
    the share of its words that the pages have.
    """
    pieces = by_pieces(sentence)
    if read is not None:
        return joint(pieces, read) >= DEED_FROM
    least = SPENT_FROM if is_spent else SURE_FROM
    for share, (enough, level) in ((support or 0.0, WITH_THEIR_WORDS), (in_their_words, IN_THEIR_WORDS)):
        least = max(least, level) if share >= enough else least
    return len(sentence.split()) > 1 and pieces.deed >= least


def joint(pieces: Kind, read: Kind) -> float:
    """Return how likely it is, according to both models, that a sentence is a deed."""
    return 1 / (1 + math.exp(-(READ_SHARE * _odds(read.deed) + (1 - READ_SHARE) * _odds(pieces.deed))))


def _odds(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


@dataclass(frozen=True)
class Records:
    """Our own words for what was done, and what look-ups found, with the vectors of comparisons where known."""

    done: tuple[str, ...]
    looked_up: tuple[str, ...]
    vectors: Mapping[Wanted, Vector]

    def hold(self, sentence: str, language: str) -> bool:
        """Return whether records confirm the sentence: all its figures, and all that it says was done."""
        if not all(map(known_figures(self.looked_up, notes=self.done).holds, figures_in(sentence, language))):
            return False
        comparison, records = self.comparison(sentence, language), self.nearest(sentence, language)
        vector = None if comparison is None else self.vectors.get(comparison)
        if vector is None:
            return False
        odds, second = float(logits(vector, by="records")), self._second_opinion(sentence, records)
        return odds >= ALONE_FROM if second is None else odds + PAIR_SHARE * second >= RECORDED_FROM

    def comparison(self, sentence: str, language: str) -> Reading | None:
        """Return the text whose vector says whether records confirm the sentence, None if none is about the same."""
        records = self.nearest(sentence, language)
        return reading(sentence, records, by="records") if records else None

    def for_second_opinion(self, sentence: str, language: str) -> list[str]:
        """Return the sentence and the records nearest to it, none if none is about the same."""
        records = self.nearest(sentence, language)[:NOTED]
        return [sentence, *records] if records else []

    def _second_opinion(self, sentence: str, records: Sequence[str]) -> float | None:
        """Return the odds by the vectors of sentence and records alone, None without those of the nearest record."""
        said, *noted = map(self._meaning, (sentence, *records))
        if said is None or noted[0] is None:
            return None
        return max(odds_of_pair(said, one) for one in noted if one is not None)

    def nearest(self, sentence: str, language: str) -> list[str]:
        """Return the few records about the same that share most with a sentence, best first."""
        figures = figures_in(sentence, language)
        done = _about_the_same(figures, self.done, self.looked_up)
        seen = [text for text in self.looked_up if _is_in_its_words(sentence, text)]
        records = [*done, *_about_the_same(figures, seen)]
        said = content_stems(sentence, language)
        return sorted(records, key=lambda text: -len(said & content_stems(text, language)))[:MOST_COMPARED]

    def _meaning(self, text: str) -> "Meaning | None":
        vector = self.vectors.get(plainly(text))
        return None if vector is None else meaning_of(text, vector)


def _about_the_same(figures: Sequence[Figure], records: Sequence[str], others: Sequence[str] = ()) -> Sequence[str]:
    """Return the records with an order number or the like that a sentence has; all if none has one.

    If only others have it, what the sentence names was looked up, and the record of another order confirms nothing
    about it: only records without any number are left.
    """
    names = [one for one in figures if one.kind == "name"]

    def naming(texts: Sequence[str]) -> Sequence[str]:
        return [text for text in texts if any(map(known_figures([text]).holds, names))]

    if found := naming(records):
        return found
    return [text for text in records if not _names(text)] if naming(others) else records


def _names(text: str) -> bool:
    return any(figure.kind == "name" for figure in figures_in(text, detect(text, "en")))


def _is_in_its_words(sentence: str, record: str) -> bool:
    """Return whether a record has most of a sentence's content words; true if their languages differ.

    A look-up has many facts beside each other, and what it does not say is soon said of the same order.
    """
    language = detect(record, "en")
    if detect(sentence, language) != language:
        return True
    said = [one for one in content_stems(sentence, language) if not one.isdigit()]
    known = content_stems(record, language)
    return sum(one in known for one in said) > len(said) / 2


def plainly(text: str) -> str:
    """Return the text whose vector tells which deed is meant: one figure stands for all, since they are compared."""
    return without_figures(as_read(text))


class Meaning(NamedTuple):
    """Which deed a sentence or a record is about, and what became of it; `keys` are how its words begin."""

    deeds: Array
    outcomes: Array
    unit: Array
    length: float
    keys: frozenset[str]


def meaning_of(text: str, vector: Vector) -> Meaning:
    seen, nets = np.asarray(vector, dtype=np.float32), _nets()
    which, became = nets["deed"].chances(seen), nets["outcome"].chances(seen)
    return Meaning(which, became, unit(seen), min(len(text.split()), LONGEST) / 10, beginnings(text))


def odds_of_pair(said: Meaning, noted: Meaning) -> float:
    """Return the same odds by which deed and outcome sentence and record are about, and by their words."""
    no, yes = _nets()["pair"].chances(pair_of(said, noted))
    return math.log(float(yes) + 1e-6) - math.log(float(no) + 1e-6)


def pair_of(said: Meaning, noted: Meaning) -> Array:
    """Return the features by which a sentence and a record are compared: how alike deeds, outcomes and words are."""
    deed = float(np.sqrt(said.deeds * noted.deeds).sum())
    outcome = float(np.sqrt(said.outcomes * noted.outcomes).sum())
    became = dict(zip(OUTCOMES, noted.outcomes.tolist(), strict=True))
    claims_done = float(said.outcomes[0])
    sure = float(said.deeds.max()), float(noted.deeds.max())
    shared, count = len(said.keys & noted.keys), len(said.keys)
    return np.array(
        [
            _soft_odds(deed), *sure, deed * sure[0] * sure[1], _soft_odds(outcome), float(said.unit @ noted.unit) * 10,
            _soft_odds(became["looked_up"]), _soft_odds(became["waiting"]) * claims_done,
            _soft_odds(became["refused"] + became["failed"]) * claims_done, claims_done, said.length, noted.length,
            2 * shared / max(1, count), 2 * shared / max(1, len(noted.keys)),
            min(count, MANY) / 4, (count - shared) / 4,
        ],
        dtype=np.float32,
    )  # fmt: skip


def _soft_odds(share: float) -> float:
    return math.log((share + 0.02) / (1.02 - share))  # a net that is sure is not that sure


@cache
def _nets() -> Mapping[str, Net]:
    with np.load(DATA / "records.npz") as stored:
        return nets_in(stored)


def nets_in(stored: Mapping[str, Array]) -> Mapping[str, Net]:
    return {name: net_in(stored, f"{name}_") for name in ("deed", "outcome", "pair") if f"{name}_out" in stored}
