"""Detects sentences that claim or promise a deed, and decides whether the ledger or a look-up confirms them. Pure.

A sentence is first classified by the pieces of its words. If that leaves doubt, the sentence is read together with the
nearest pieces of the pages: pages may be full of refunds, but their sentences state rules, not deeds.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

import numpy as np

from supportbot.assistant.checks.cross_encoders import DATA, ModelInput, Vector, Wanted, logits, model_input
from supportbot.assistant.checks.sentence_kinds import Kind, by_pieces
from supportbot.language.classifiers import Array, Net, net_in, unit
from supportbot.language.detection import detect
from supportbot.language.figures import Figure, figures_in, known_figures, without_figures
from supportbot.language.normalise import as_read
from supportbot.language.words import beginnings, content_stems

# Likelihoods by word pieces alone: below DOUBT_FROM, a sentence is not a deed; at or above SURE_FROM, it is one even if
# no vector is available.
DOUBT_FROM: Final = 0.1
SURE_FROM: Final = 0.7
SPENT_FROM: Final = 0.5  # replaces SURE_FROM after an answer with many doubtful sentences has used up its vectors
DEED_FROM: Final = 0.5  # likelihood according to both models together
# Replaces DEED_FROM if there are records: they confirm a true sentence even if it is not a deed.
RECORDS_DECIDE_FROM: Final = 0.2
READ_SHARE: Final = 0.85  # weight of the model that reads the sentence with the pages
# (share of a sentence's words found in the pages, minimum likelihood by word pieces): the more a sentence resembles the
# pages, the surer the model must be. IN_THEIR_WORDS counts pairs of neighbouring words. WITH_THEIR_WORDS counts single
# words, which say less: any page about refunds contains the words of any claim about a refund.
IN_THEIR_WORDS: Final = (0.65, 0.7)
WITH_THEIR_WORDS: Final = (0.8, 0.6)
# Thresholds for the log odds that a sentence says no more than the records. Late in a long answer, there is no second
# opinion; the comparison alone is less certain, so its threshold, ALONE_FROM, is higher. The same threshold applies if
# the sentence can only be compared with look-ups that use different words.
RECORDED_FROM: Final = -1.75
ALONE_FROM: Final = -1.0
PAIR_SHARE: Final = 0.75  # weight of the second opinion in the log odds
# A sentence may paraphrase a look-up only if it is at least this likely to say how something is or what is still
# awaited, not that something was done or refused.
STATE_FROM: Final = 0.8
NOTED: Final = 2  # number of records that the second opinion reads
OUTCOMES: Final = ("done", "failed", "looked_up", "refused", "waiting")  # in the order of the net's outputs
LONGEST: Final = 40  # words; a longer text counts as this long
MANY: Final = 8  # words of a sentence; more words count as this many
MOST_COMPARED: Final = 4  # records compared with a sentence; more records only make the decision harder


def is_deed(
    sentence: str,
    read: Kind | None,
    *,
    in_their_words: float,
    support: float | None,
    is_spent: bool = False,
    records_decide: bool = False,
) -> bool:
    """Return whether a sentence counts as a deed.

    `read` is its kind as read with the pages, or None if there is no vector. `is_spent`: the answer has used up its
    vectors. `records_decide`: if the sentence is a deed, it is about what was done or looked up. `in_their_words` is
    the share of its pairs of neighbouring words that are also neighbours in a page; `support` is the share of its words
    that occur in the pages.
    """
    pieces = by_pieces(sentence)
    if read is not None:
        return may_be_deed(pieces, read, records_decide=records_decide)
    least = SPENT_FROM if is_spent else SURE_FROM
    for share, (enough, level) in ((support or 0.0, WITH_THEIR_WORDS), (in_their_words, IN_THEIR_WORDS)):
        least = max(least, level) if share >= enough else least
    return len(sentence.split()) > 1 and pieces.deed >= least


def may_be_deed(pieces: Kind, read: Kind, *, records_decide: bool) -> bool:
    """Return whether, according to both models together, a sentence is likely enough to be a deed."""
    return joint(pieces, read) >= (RECORDS_DECIDE_FROM if records_decide else DEED_FROM)


def joint(pieces: Kind, read: Kind) -> float:
    """Return the combined estimate of both models that a sentence is a deed."""
    return 1 / (1 + math.exp(-(READ_SHARE * _odds(read.deed) + (1 - READ_SHARE) * _odds(pieces.deed))))


def _odds(share: float) -> float:
    share = min(max(share, 1e-6), 1 - 1e-6)
    return math.log(share / (1 - share))


@dataclass(frozen=True)
class Records:
    """Our own texts about what was done, the results of look-ups, and the known vectors for comparing sentences with
    both.
    """

    done: tuple[str, ...]
    looked_up: tuple[str, ...]
    vectors: Mapping[Wanted, Vector]

    def hold(self, sentence: str, language: str) -> bool:
        """Return whether the records confirm all figures of a sentence and everything that it says was done."""
        figures = figures_in(sentence, language)
        if not self.have_figures_of(sentence, language) or self._has_another_amount(sentence, figures):
            return False
        comparison, records = self.comparison(sentence, language), self.nearest(sentence, language)
        vector = None if comparison is None else self.vectors.get(comparison)
        if vector is None:
            return False
        odds, second = float(logits(vector, by="records")), self._second_opinion(sentence, records)
        if second is None:
            return bool(self._counted(sentence, figures)) and odds >= ALONE_FROM
        odds += PAIR_SHARE * second
        if self._counted(sentence, figures):
            return odds >= RECORDED_FROM
        return odds >= ALONE_FROM and self._tells_state(sentence)

    def have_figures_of(self, sentence: str, language: str) -> bool:
        known = known_figures(self.looked_up, notes=self.done)
        return all(map(known.holds, figures_in(sentence, language)))

    def _has_another_amount(self, sentence: str, figures: Sequence[Figure]) -> bool:
        """Return whether the records of what was done contain a different amount from the sentence, for example if the
        sentence says "We have refunded the €64" but €20 of a €64 order was refunded. A look-up that contains most of
        the sentence's words may confirm the amount.
        """
        if not any(one.kind == "money" for one in figures):
            return False
        own = known_figures([], notes=self.done)
        if not own.amounts or any(one.kind == "money" and own.holds(one) for one in figures):
            return False
        if any(one.kind == "count" and not own.amounts.isdisjoint(one.numbers) for one in figures):
            return False  # the sentence names the recorded amount without its currency
        plain = without_figures(sentence)  # every look-up of an order contains its number
        about_it = known_figures([text for text in self.looked_up if _is_in_its_words(plain, text)])
        return not any(one.kind == "money" and about_it.holds(one) for one in figures)

    def comparison(self, sentence: str, language: str) -> ModelInput | None:
        """Return the text to embed in order to check whether records confirm the sentence; None if no record is about
        the same thing.
        """
        records = self.nearest(sentence, language)
        return model_input(sentence, records, by="records") if records else None

    def for_second_opinion(self, sentence: str, language: str) -> list[str]:
        """Return the sentence and the records nearest to it; [] if no record is about the same thing."""
        records = self.nearest(sentence, language)[:NOTED]
        return [sentence, *records] if records else []

    def _second_opinion(self, sentence: str, records: Sequence[str]) -> float | None:
        """Return the log odds from separate vectors of the sentence and the records; None if the vector of the sentence
        or of the nearest record is missing.
        """
        claimed, *noted = map(self._meaning, (sentence, *records))
        if claimed is None or noted[0] is None:
            return None
        return max(odds_of_pair(claimed, one) for one in noted if one is not None)

    def nearest(self, sentence: str, language: str) -> list[str]:
        """Return the few records about the same thing that share the most words with a sentence, best first.

        A look-up states so many facts about an order that an unstated one easily passes for one of them. A look-up is
        therefore included only if it contains most of the sentence's words or if there is nothing else to compare. In
        the latter case, it can confirm the state of something, but not that something was done.
        """
        figures = figures_in(sentence, language)
        records = self._counted(sentence, figures) or _about_the_same(figures, self.looked_up)
        stems = content_stems(sentence, language)
        return sorted(records, key=lambda text: -len(stems & content_stems(text, language)))[:MOST_COMPARED]

    def _counted(self, sentence: str, figures: Sequence[Figure]) -> list[str]:
        """Return the records about the same thing, including the look-ups that contain most of the sentence's words."""
        seen = [text for text in self.looked_up if _is_in_its_words(sentence, text)]
        return [*_about_the_same(figures, self.done, self.looked_up), *_about_the_same(figures, seen)]

    def _tells_state(self, sentence: str) -> bool:
        """Return whether a sentence says how something is, or what is still awaited."""
        claimed = self._meaning(sentence)
        if claimed is None:
            return False
        became = dict(zip(OUTCOMES, claimed.outcomes.tolist(), strict=True))
        return bool(became["looked_up"] + became["waiting"] >= STATE_FROM)

    def _meaning(self, text: str) -> "Meaning | None":
        vector = self.vectors.get(plainly(text))
        return None if vector is None else meaning_of(text, vector)


def _about_the_same(figures: Sequence[Figure], records: Sequence[str], others: Sequence[str] = ()) -> Sequence[str]:
    """Return the records that contain an order number or similar name from a sentence; if none does, return all
    records.

    If only `others` contain it, the sentence is about something that was looked up, and records about other orders
    confirm nothing about it. In that case, only records without any number are returned.
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
    """Return whether a record contains most of a sentence's content words, or is in a different language."""
    language = detect(record, "en")
    if detect(sentence, language) != language:
        return True
    stems = [one for one in content_stems(sentence, language) if not one.isdigit()]
    known = content_stems(record, language)
    return sum(one in known for one in stems) > len(stems) / 2


def plainly(text: str) -> str:
    """Return the form of a text whose vector shows which deed it means. All figures are replaced with the same one,
    because figures are compared separately.
    """
    return without_figures(as_read(text))


class Meaning(NamedTuple):
    """The deed that a sentence or a record is about, and its outcome. `keys` contains the beginnings of its words."""

    deeds: Array
    outcomes: Array
    unit: Array
    length: float
    keys: frozenset[str]


def meaning_of(text: str, vector: Vector) -> Meaning:
    seen, nets = np.asarray(vector, dtype=np.float32), _nets()
    which, became = nets["deed"].chances(seen), nets["outcome"].chances(seen)
    return Meaning(which, became, unit(seen), min(len(text.split()), LONGEST) / 10, beginnings(text))


def odds_of_pair(claimed: Meaning, noted: Meaning) -> float:
    """Return the log odds that a sentence says no more than a record, by their deeds, outcomes and words."""
    no, yes = _nets()["pair"].chances(pair_of(claimed, noted))
    return math.log(float(yes) + 1e-6) - math.log(float(no) + 1e-6)


def pair_of(claimed: Meaning, noted: Meaning) -> Array:
    """Return the features for comparing a sentence with a record, which say how similar their deeds, outcomes and words
    are.
    """
    deed = float(np.sqrt(claimed.deeds * noted.deeds).sum())
    outcome = float(np.sqrt(claimed.outcomes * noted.outcomes).sum())
    became = dict(zip(OUTCOMES, noted.outcomes.tolist(), strict=True))
    claims_done = float(claimed.outcomes[0])
    sure = float(claimed.deeds.max()), float(noted.deeds.max())
    shared, count = len(claimed.keys & noted.keys), len(claimed.keys)
    return np.array(
        [
            _soft_odds(deed), *sure, deed * sure[0] * sure[1],
            _soft_odds(outcome), float(claimed.unit @ noted.unit) * 10,
            _soft_odds(became["looked_up"]), _soft_odds(became["waiting"]) * claims_done,
            _soft_odds(became["refused"] + became["failed"]) * claims_done, claims_done, claimed.length, noted.length,
            2 * shared / max(1, count), 2 * shared / max(1, len(noted.keys)),
            min(count, MANY) / 4, (count - shared) / 4,
        ],
        dtype=np.float32,
    )  # fmt: skip


def _soft_odds(share: float) -> float:
    return math.log((share + 0.02) / (1.02 - share))  # softened, because the nets are overconfident


@cache
def _nets() -> Mapping[str, Net]:
    with np.load(DATA / "records.npz") as stored:
        return nets_in(stored)


def nets_in(stored: Mapping[str, Array]) -> Mapping[str, Net]:
    return {name: net_in(stored, f"{name}_") for name in ("deed", "outcome", "pair") if f"{name}_out" in stored}
