"""Detects sentences that claim or promise a deed, and whether the ledger or a look-up confirms them. Pure.

A sentence is first classified by the pieces of its words; its vector is used only if these leave a doubt. If the
sources use the same words, both must agree that it is a deed: a shop's pages are full of refunds, and their sentences
are rules.
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Final, NamedTuple

import numpy as np

from supportbot.assistant.checks.sentence_kinds import DATA, Kind, by_pieces, by_vector
from supportbot.language.classifiers import Array, Net, net_in, unit
from supportbot.language.detection import detect
from supportbot.language.figures import Figure, figures_in, known_figures, without_figures
from supportbot.language.normalise import as_read
from supportbot.language.sentences import clauses
from supportbot.language.words import begin_alike, beginning, beginnings, content_stems, without_accents, words

# By pieces alone: below the first nothing is a deed, from the second on it is one where no vector can be had.
DOUBT_FROM: Final = 0.1
SURE_FROM: Final = 0.7
SPENT_FROM: Final = 0.5  # the same where an answer has had all its vectors: by then it has raised that many doubts
# Of the joint score of both. The more of a sentence the pages have too, the surer one must be: by neighbouring words,
# and, since any page about refunds has the words of any claim about one, only a little by words alone.
DEED_FROM: Final = 0.25
IN_THEIR_WORDS: Final = (0.65, 0.7)
WITH_THEIR_WORDS: Final = (0.8, 0.6)
# Low for what was done: of true statements about it few may be lost, and one about another record is far below.
# A look-up has many facts beside each other, and what it does not say is soon said of the same order.
DONE_FROM: Final = 0.2
LOOKED_UP_FROM: Final = 0.25
# Of these levels, for a record in another language: with no word in common, true and false sentences are harder to
# tell apart.
ABROAD: Final = 0.4

OUTCOMES: Final = ("done", "failed", "looked_up", "refused", "waiting")  # of a deed, in the order of the net
LONGEST: Final = 40  # words that count for the length of a text
MANY: Final = 8  # of the words that are compared
_WORD: Final = re.compile(r"\w[\w'’-]*")
CLAUSE_FROM: Final = 0.5  # by pieces: a clause that is a deed of its own needs a record too
LEAST_CLAUSE: Final = 3  # words

Vector = Sequence[float]


def is_deed(
    sentence: str, vector: Vector | None, *, in_their_words: float, support: float | None, is_spent: bool = False
) -> bool:
    """Return whether a sentence counts as a deed.

    `in_their_words` is the share of its neighbouring words that are neighbours in a page, `support` the share of its
    words that the pages have. `is_spent` says that there is no vector because the answer has had all it may have.
    """
    pieces, least = by_pieces(sentence), DEED_FROM
    for share, (enough, level) in ((support or 0.0, WITH_THEIR_WORDS), (in_their_words, IN_THEIR_WORDS)):
        least = level if share >= enough else least
    if vector is None:
        return len(sentence.split()) > 1 and pieces.deed >= max(SPENT_FROM if is_spent else SURE_FROM, least)
    return joint(pieces, by_vector(sentence, vector)) >= least


def joint(pieces: Kind, seen: Kind) -> float:
    """Return how likely a sentence is a deed by both models; the vector counts three times as much."""
    return 1 / (1 + math.exp(-(0.75 * _odds(seen.deed) + 0.25 * _odds(pieces.deed))))


def _odds(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


@dataclass(frozen=True)
class Records:
    """Our own words for what was done, and what look-ups found, with the vectors of texts by `plainly` and `beyond`
    where known.
    """

    done: tuple[str, ...]
    looked_up: tuple[str, ...]
    vectors: Mapping[str, Vector]

    def hold(self, sentence: str, language: str) -> bool:
        """Return whether records confirm the sentence: all its figures, and the same deed.

        A clause that claims a deed of its own must be confirmed too: "It is cancelled, and your fee is waived".
        """
        return all(self._hold(said, language) for said in (sentence, *claiming_clauses(sentence, language)))

    def _hold(self, sentence: str, language: str) -> bool:
        figures, known = figures_in(sentence, language), known_figures((*self.done, *self.looked_up))
        if not all(map(known.holds, figures)):
            return False
        done = _about_the_same(figures, self.done, self.looked_up)
        seen = _about_the_same(figures, [text for text in self.looked_up if _is_in_its_words(sentence, text)])
        return self._say_it(sentence, done, DONE_FROM) or self._say_it(sentence, seen, LOOKED_UP_FROM)

    def _say_it(self, sentence: str, texts: Sequence[str], least: float) -> bool:
        said, rest = self._meaning(sentence), self._rest(sentence)
        return said is not None and any(
            says_the_same(said, noted, rest) >= least * (ABROAD if _is_foreign(sentence, text) else 1)
            for text in texts
            if (noted := self._meaning(text)) is not None
        )

    def _rest(self, sentence: str) -> Array:
        text = beyond(sentence, (*self.done, *self.looked_up))
        return rest_of(text, self.vectors.get(text))

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
    """Return whether a record has most of a sentence's content words; true if their languages differ."""
    if _is_foreign(sentence, record):
        return True
    language = detect(record, "en")
    said = [one for one in content_stems(sentence, language) if not one.isdigit()]
    known = content_stems(record, language)
    return sum(one in known for one in said) > len(said) / 2


def _is_foreign(sentence: str, record: str) -> bool:
    language = detect(record, "en")
    return detect(sentence, language) != language


def plainly(text: str) -> str:
    """Return the text whose vector tells which deed is meant: one figure stands for all, since they are compared."""
    return without_figures(as_read(text))


def beyond(sentence: str, records: Iterable[str]) -> str:
    """Return the words of a sentence that begin like none in the records, with its signs; "" if there are none.

    Sentence and record mostly share what they are about, and this makes their vectors similar. What is left is what the
    sentence claims about it.
    """
    known = _by_beginning(tuple(records))

    def is_known(word: str) -> bool:
        return any(begin_alike(word, other) for other in known.get(beginning(word), ()))

    def left(token: re.Match[str]) -> str:
        has_known = any(map(is_known, map(without_accents, words(token[0]))))
        return "" if has_known or any(sign.isdigit() for sign in token[0]) else token[0]

    rest = " ".join(_WORD.sub(left, plainly(sentence)).split())
    return rest if _WORD.search(rest) else ""


@lru_cache(maxsize=16)  # each sentence of an answer is compared with the same records, several times
def _by_beginning(records: tuple[str, ...]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for word in map(without_accents, words(" ".join(records))):
        found[beginning(word)].add(word)
    return found


def claiming_clauses(sentence: str, language: str) -> list[str]:
    """Return the clauses of a sentence that by their words alone look like deeds."""
    parts = clauses(sentence, language)
    return [part for part in parts if len(part.split()) >= LEAST_CLAUSE and by_pieces(part).deed >= CLAUSE_FROM]


class Meaning(NamedTuple):
    """Which deed a sentence or a record is about, and what became of it; `keys` are how its words begin."""

    deeds: Array
    outcomes: Array
    unit: Array
    length: float
    keys: frozenset[str]


def meaning_of(text: str, vector: Vector) -> Meaning:
    seen, nets = np.asarray(vector, dtype=np.float32), _record_weights().nets
    which, became = nets["deed"].chances(seen), nets["outcome"].chances(seen)
    return Meaning(which, became, unit(seen), min(len(text.split()), LONGEST) / 10, beginnings(text))


def says_the_same(said: Meaning, noted: Meaning, rest: Array) -> float:
    """Return how likely a sentence says no more than a record; figures are compared elsewhere."""
    return float(_record_weights().nets["pair"].chances(np.concatenate([pair_of(said, noted), rest]))[1])


def rest_of(text: str, vector: Vector | None) -> Array:
    """Return the features of what a sentence says beyond the records: how long it is, and its vector if known."""
    weights, count = _record_weights(), len(_WORD.findall(text))
    seen = weights.centre if vector is None else np.asarray(vector, dtype=np.float32)
    return np.concatenate(
        [[min(count, MANY) / 4, count == 0], (seen - weights.centre) @ weights.axes], dtype=np.float32
    )


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


class Weights(NamedTuple):
    """The nets by name, and the centre and main axes of the vectors of what sentences say beyond records."""

    nets: Mapping[str, Net]
    centre: Array
    axes: Array


def weights_in(stored: Mapping[str, Array]) -> Weights:
    nets = {name: net_in(stored, f"{name}_") for name in ("deed", "outcome", "pair") if f"{name}_out" in stored}
    return Weights(nets, stored["rest_centre"].astype(np.float32), stored["rest_axes"].astype(np.float32))


@cache
def _record_weights() -> Weights:
    with np.load(DATA / "records.npz") as stored:
        return weights_in(stored)
