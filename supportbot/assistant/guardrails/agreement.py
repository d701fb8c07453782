"""Whether a sentence says what a sentence of its source says: the same yes or no, figures and countries. Pure.

Words alone cannot tell it: "Gift cards can be paid out" shares all of them with "cannot be paid out", and a price
stands right beside that of another country. So sentences are compared clause by clause, and what a clause pins down
must stand together in one sentence, or one row, of the source.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from supportbot.assistant.guardrails.disguise import undisguised
from supportbot.assistant.guardrails.quantities import Quantity, quantities_in
from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import SAME, STOP_WORDS, stem

NEARLY: Final = 0.999  # of the most, for sums of fractions to count as the same
MIN_SHARE: Final = 0.5  # of a clause's meaningful words, for a sentence of the source to speak of it
STRONG_SHARE: Final = 0.75  # from here on a sentence anywhere in the sources may speak against it
LONG_STEM: Final = 12  # letters of a compound that is no chance
_WORD: Final = re.compile(r"[^\W_]+")
_NEGATION: Final = re.compile(
    r"\b(?:not|no|never|cannot|without|none|neither|nor|nothing|nobody|hardly|except|excluded|un(?:able|available)"
    r"|nicht|kein\w*|nie|niemals|ohne|weder|nichts|niemand|au(?:ß|ss)er|ausgeschlossen)\b|n['’]t\b",
    re.IGNORECASE,
)
_CONDITION: Final = re.compile(
    r"\b(?:if|once|unless|until|when|only|wenn|falls|sofern|sobald|solange|nur|bis|bevor|before|except|as long as)\b",
    re.IGNORECASE,
)
_OPENS_CONDITION: Final = re.compile(r"\s*(?:if|when|once|wenn|falls|sobald)\b", re.IGNORECASE)
# "Even after" takes a limit away: it must stand in the source.
_CONCESSION: Final = re.compile(
    r"\b(?:even|regardless|no matter|whether or not|anyway|auch (?:wenn|nach|dann)|selbst (?:wenn|nach)|obwohl|egal"
    r"|trotzdem)\b",
    re.IGNORECASE,
)
# "As long as it has not left" is "until it leaves".
_UNTIL: Final = re.compile(
    r"\b(?:as long as|while|so long as|solange|sofern)\b(?P<what>[^,;]*?)"
    r"\s*(?:\b(?:not|noch nicht|nicht)\b|n['’]t\b)(?:\s+yet)?",
    re.IGNORECASE,
)
# What costs nothing is told with a "not" and without one.
_FREE: Final = re.compile(
    r"\b(?:(?:costs?|charges?) nothing"
    r"|(?:no|without(?: any)?) (?:extra |additional )?(?:costs?|charges?|fees?|interest)"
    r"|without (?:interest|fees?) or (?:interest|fees?)|interest[ -]free|free(?: of charge)?|for free"
    r"|kostet nichts|kostenlos\w*|kostenfrei\w*|gratis|versandkostenfrei\w*|gebührenfrei|zinsfrei"
    r"|ohne (?:\w+ )?(?:kosten|gebühren|zinsen|aufpreis))\b",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(
    r"[,;:–—]\s|\s-\s|\s(?:and|but|und|aber|sondern|while|because|so|plus|since|weil|denn|sowie)\s"
    r"(?!(?:[€$£]\s?)?\d)",  # "between 10 and 500"
    re.IGNORECASE,
)
# A part without one of these is no clause: "no soles, burns or cuts" says "no" to all three.
_VERB: Final = re.compile(
    r"\b(?:i|you|we|it|they|please|is|are|was|were|be|can|cannot|could|will|would|must|may|might|should|do|does|did|have|has"
    r"|gets?|costs?|takes?|needs?|stays?|holds?|arrives?|goes|comes"
    r"|ich|sie|wir|es|man|bitte|ist|sind|war|waren|wird|werden|kann|können|muss|müssen|darf|dürfen|soll\w*|haben|hat"
    r"|bekomm\w+|erhält|erhalten|kostet|dauert|gilt|gelten|bleibt|kommt|geht|lässt)\b|n['’]t\b",
    re.IGNORECASE,
)
_SECRET: Final = re.compile(
    r"\b(?:password\w*|passwor[dt]\w*|pin|cvv|cvc|tan|iban|card number|kartennummer\w*|security code)\b", re.IGNORECASE
)
_LIST_MARK: Final = re.compile(r"^\s*\d{1,2}[.)]\s", re.MULTILINE)
_SPELT: Final = {
    word: value
    for words in (
        "two three four five six seven eight nine ten eleven twelve fifteen:15 twenty:20 thirty:30",
        "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf fünfzehn:15 zwanzig:20 dreißig:30",
        "- third fourth fifth sixth seventh eighth ninth tenth",
        "- dritten vierten fünften sechsten siebten achten neunten zehnten",
        "twice dreimal:3 viermal:4",
    )
    for place, entry in enumerate(words.split(), start=2)
    for word, value in [(entry.partition(":")[0], entry.partition(":")[2] or str(place))]
    if word != "-"
}
# Countries and regions by the beginnings of their names, which make adjectives too: "Swiss", "österreichisch".
_PLACES: Final[dict[str, str]] = {
    beginning: name
    for row in (
        "german|deutsch", "austria|österreich|oesterreich", "switzerland|swiss|schweiz", "liechtenstein",
        "france|french|frankreich|französisch", "ital", "spain|spanish|spanien|spanisch", "portug", "netherlands|dutch"
        "|niederl|holland", "belgi", "luxemb", "denmark|danish|dänemark|dänisch", "swed|schwed", "norw",
        "finland|finnish|finnl|finnisch", "iceland|island",
        "poland|polish|polen|polnisch", "czech|tschech", "slovak"
        "|slowak", "sloven|slowen", "hungar|ungar", "romani|rumäni", "bulgari", "greece|greek|griech", "croat|kroat",
        "serbi", "turk|türk", "ireland|irish|irland|irisch", "britain|british|britann|britisch|england"
        "|scotland|schottland|wales", "russia|russland|russisch", "ukrain", "canad|kanad", "mexic|mexik",
        "brazil|brasil",
        "china|chines", "japan", "india|indien|indisch", "austral", "africa|afrika", "asia|asien",
    )
    for name in (row.split("|")[0],)
    for beginning in row.split("|")
}  # fmt: skip
_PLACE: Final = re.compile(rf"\b({'|'.join(_PLACES)})\w*", re.IGNORECASE)
_SHORT_PLACE: Final = re.compile(
    r"\b(?:(?P<uk>UK|GB|United Kingdom|Vereinigte\w* Königreich\w*|Großbritannien)|(?P<us>USA?|United States"
    r"|Vereinigte\w* Staaten|Amerika|America)|(?P<eu>EU|European Union|Europäische\w* Union))\b"
)
_NOT: Final = re.compile(r"n['’]t\b|['’]\w{1,2}\b")
_EMPTY: Final = word_set(
    "yes sorri sor unfortunat however usual usuall normal possibl leid jed within with innerhalb t s e"
)
_NO_PLACES: Final = word_set("islands indirect italic italics polish polished")


@dataclass(frozen=True, slots=True)
class Pins:
    """What a clause pins down: its figures, the countries it names, and what is asked for that must stay secret."""

    figures: frozenset[Quantity]
    values: frozenset[str]
    places: frozenset[str]
    secrets: frozenset[str]
    is_free: bool

    def within(self, other: "Pins", *, places: frozenset[str]) -> bool:
        """Return whether all of it stands in `other`, with these countries besides."""
        return (
            self.values <= other.values
            and self.places | places <= other.places
            and self.secrets <= other.secrets
            and (other.is_free or not self.is_free)
            and not any(_counts_otherwise(figure, other.figures) for figure in self.figures)
        )


def _counts_otherwise(figure: Quantity, known: frozenset[Quantity]) -> bool:
    """Return whether the number is known, but counts something else there: weeks for days."""
    units = {other.unit for other in known if other.value == figure.value}
    return bool(figure.unit and units) and figure.unit not in units and "" not in units


@dataclass(frozen=True)
class Said:
    """A sentence or clause as it can be compared; `stands_alone` if it does not go on with what is before it."""

    text: str
    stands_alone: bool = False

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of what it speaks of: figures are compared for themselves."""
        return frozenset(stem for stem in stems_of(self.text) if not stem.isdigit())

    @cached_property
    def is_negated(self) -> bool:
        return _NEGATION.search(_FREE.sub("", _UNTIL.sub(r"until \g<what>", undisguised(self.text)))) is not None

    def is_negated_in(self, sentence: "Said") -> bool:
        """Return its yes or no, that of its sentence where it is no clause of its own."""
        return self.is_negated if self.stands_alone or _VERB.search(self.text) else sentence.is_negated

    @cached_property
    def is_conditional(self) -> bool:
        return _CONDITION.search(self.text) is not None

    @cached_property
    def concedes(self) -> bool:
        return _CONCESSION.search(self.text) is not None

    @cached_property
    def pins(self) -> Pins:
        text = undisguised(_LIST_MARK.sub("", self.text))
        figures = frozenset(quantities_in(text))
        spelt = {_SPELT[word] for word in _WORD.findall(text.lower()) if word in _SPELT}
        return Pins(
            figures,
            frozenset({figure.value for figure in figures} | spelt),
            frozenset(places_in(text)),
            frozenset(match.group().lower() for match in _SECRET.finditer(text)),
            _FREE.search(text) is not None,
        )

    @cached_property
    def clauses(self) -> tuple["Said", ...]:
        """The clauses that speak of something, each with what follows that does not ("and costs 4.90")."""
        starts, alone = [0], [False]
        for cut in _CLAUSE.finditer(self.text):
            if len(Said(self.text[cut.end() :]).stems) > 1 and len(Said(self.text[starts[-1] : cut.start()]).stems) > 1:
                starts.append(cut.end())
                alone.append(cut.group()[0] in ";:–—")
        ends = [*starts[1:], len(self.text)]
        parts = [Said(self.text[start:end], is_alone) for start, end, is_alone in zip(starts, ends, alone, strict=True)]
        return tuple(part for part in parts if part.stems)

    @cached_property
    def pieces(self) -> tuple["Said", ...]:
        """Its clauses, each parted again from what follows ("and costs 4.90")."""
        return tuple(map(Said, filter(None, map(str.strip, _CLAUSE.split(self.text)))))


def stems_of(text: str) -> set[str]:
    """Return what the words of a text are compared by, but for those that every text has."""
    return set(filter(None, map(telling, map(str.lower, _WORD.findall(_NOT.sub(" ", text))))))


def telling(word: str) -> str:
    """Return what a word in lower case is compared by; "" if it tells nothing."""
    found = "" if word in STOP_WORDS else SAME.get(word) or stem(word)
    return "" if found in _EMPTY else found


def places_in(text: str) -> Iterator[str]:
    """Yield the countries that a text names, one name for each."""
    for match in _PLACE.finditer(text):
        if match.group().lower() not in _NO_PLACES:
            yield _PLACES[match.group(1).lower()]
    for match in _SHORT_PLACE.finditer(text):
        yield str(match.lastgroup)


def shares_enough(sentence: Said, stems: Iterable[str]) -> bool:
    """Return whether the words that both have are more than chance: two of them, or one long compound."""
    shared = sentence.stems.intersection(stems)
    return len(shared) > 1 or any(len(word) >= LONG_STEM for word in shared)


def agrees(sentence: Said, units: Sequence[Said]) -> bool:
    """Return whether these sentences of a source bear each clause, and hold together what it pins down."""
    weights = _weights(units)
    return all(_is_said(clause, sentence, units, weights) for clause in _stating(sentence)) and all(
        _is_pinned(piece, places, sentence, units, weights) for piece, places in _placed(sentence)
    )


def _stating(sentence: Said) -> Sequence[Said]:
    """Return the clauses that say something: a condition besides only narrows it."""
    stating = [clause for clause in sentence.clauses if not _OPENS_CONDITION.match(clause.text) or clause.concedes]
    return stating or sentence.clauses


def _placed(sentence: Said) -> Iterator[tuple[Said, frozenset[str]]]:
    """Yield each piece with the countries it is about: its own, or those of the one before."""
    places: frozenset[str] = frozenset()
    for piece in sentence.pieces:
        places = piece.pins.places or places
        yield piece, places


def is_contradicted(sentence: Said, units: Sequence[Said]) -> bool:
    """Return whether a sentence of the sources that speaks plainly of a clause says the opposite, and none agrees."""
    weights = _weights(units)
    return any(_is_opposed(clause, sentence, units, weights) for clause in _stating(sentence) if len(clause.stems) > 1)


Weights = Mapping[str, float]


def _weights(units: Sequence[Said]) -> Weights:
    """Return how much a word tells: one that many sentences have tells little of any."""
    counts = Counter(stem for unit in units for stem in unit.stems)
    return {stem: math.log(1 + len(units) / count) for stem, count in counts.items()}


def _weight(stems: Iterable[str], weights: Weights) -> float:
    return sum(weights.get(stem, 0.0) for stem in stems)


def _is_opposed(clause: Said, sentence: Said, units: Sequence[Said], weights: Weights) -> bool:
    whole = _weight(clause.stems, weights)
    agreeing = against = 0.0
    is_negated = clause.is_negated_in(sentence)
    for unit in units:
        share = _weight(clause.stems & unit.stems, weights)
        if share and _is_negated_there(unit, clause, weights) == is_negated:
            agreeing = max(agreeing, share)
        else:
            against = max(against, share)
    return against >= STRONG_SHARE * whole and against > agreeing


def _is_said(clause: Said, sentence: Said, units: Sequence[Said], weights: Weights) -> bool:
    """Return whether one of the sentences nearest to the clause agrees with it, conditions included."""
    is_negated = clause.is_negated_in(sentence)
    most = max((len(clause.stems & unit.stems) for unit in units), default=0)
    if most < MIN_SHARE * len(clause.stems):
        of_all = frozenset().union(*(unit.stems for unit in units))
        is_enough = len(clause.stems & of_all) >= MIN_SHARE * len(clause.stems)
        return is_enough and any(unit.is_negated for unit in units) == is_negated and not clause.concedes
    shared = [_weight(clause.stems & unit.stems, weights) for unit in units]
    nearest = [unit for unit, share in zip(units, shared, strict=True) if share >= max(shared) * NEARLY]
    return any(
        _is_negated_there(unit, clause, weights) == is_negated
        and (clause.is_conditional or sentence.is_conditional or not unit.is_conditional or _covers(sentence, unit))
        and (unit.concedes or not clause.concedes)
        for unit in nearest
    )


def _covers(sentence: Said, unit: Said) -> bool:
    return 2 * len(sentence.stems & unit.stems) >= len(unit.stems)


def _is_negated_there(unit: Said, clause: Said, weights: Weights) -> bool:
    """Return the yes or no of the part of a sentence that says most of the clause."""
    if not unit.clauses or not _VERB.search(clause.text):
        return unit.is_negated
    return max(unit.clauses, key=lambda part: _weight(clause.stems & part.stems, weights)).is_negated_in(unit)


def _is_pinned(piece: Said, places: frozenset[str], sentence: Said, units: Sequence[Said], weights: Weights) -> bool:
    """Return whether what a piece pins down stands together in a sentence that speaks of it, and in none otherwise."""
    pins = piece.pins
    if not (pins.values or places or pins.secrets or pins.is_free):
        return True
    asked = piece.stems if len(piece.stems) > 1 else sentence.stems
    shares = [_weight(asked & unit.stems, weights) for unit in units]
    fitting = [
        share
        for unit, share in zip(units, shares, strict=True)
        if share >= max(shares) * MIN_SHARE and pins.within(unit.pins, places=places)
    ]
    if not fitting:
        return False
    return not any(
        share > max(fitting) and any(_counts_otherwise(figure, unit.pins.figures) for figure in pins.figures)
        for unit, share in zip(units, shares, strict=True)
    )
