"""What a sentence or clause says, as far as it can be compared: its yes or no, figures, countries and days. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from supportbot.assistant.guardrails.dates import Span, are_within, dates_in, without_dates
from supportbot.assistant.guardrails.opposites import FREE, Sides, sides_of, without_sides
from supportbot.assistant.guardrails.places import places_in
from supportbot.assistant.guardrails.quantities import Quantity, quantities_in, spelt_in
from supportbot.language.normalise import undisguised
from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import SAME, STOP_WORDS, stem

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
_CLAUSE: Final = re.compile(
    r"[,;:–—]\s|\s-\s|\s(?:and|but|und|aber|sondern|because|so|plus|since|weil|denn|sowie)\s"
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
_ENDINGS: Final = re.compile(r"n['’]t\b|['’]\w{1,2}\b")
_EMPTY: Final = word_set(
    "yes sorri sor unfortunat however usual usuall normal possibl leid jed within with innerhalb t s e"
    # What a sentence denies is compared for itself: "is never stored" speaks of storing and nothing else.
    " canno withou non neith nor noth nobod never hard nie niemal weder nicht niemand ohn"
)


@dataclass(frozen=True, slots=True)
class Pins:
    """What a clause pins down: its figures, the countries and days it names, and secrets that it asks for."""

    figures: frozenset[Quantity]
    values: frozenset[str]
    places: frozenset[str]
    dates: frozenset[Span]
    secrets: frozenset[str]
    is_free: bool

    def within(self, other: "Pins", *, places: frozenset[str]) -> bool:
        """Return whether all of it stands in `other`, with these countries besides."""
        return (
            self.values <= other.values
            and self.places | places <= other.places
            and are_within(self.dates, other.dates)
            and self.secrets <= other.secrets
            and (other.is_free or not self.is_free)
            and not any(counts_otherwise(figure, other.figures) for figure in self.figures)
        )


def counts_otherwise(figure: Quantity, known: frozenset[Quantity]) -> bool:
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
        return _without_figures(stems_of(self.text))

    @cached_property
    def is_negated(self) -> bool:
        return _NEGATION.search(FREE.sub("", _UNTIL.sub(r"until \g<what>", undisguised(self.text)))) is not None

    @cached_property
    def has_verb(self) -> bool:
        return _VERB.search(self.text) is not None

    def is_negated_in(self, sentence: "Said") -> bool:
        """Return its yes or no, that of its sentence where it is no clause of its own."""
        return self.is_negated if self.stands_alone or self.has_verb else sentence.is_negated

    @cached_property
    def is_conditional(self) -> bool:
        return _CONDITION.search(self.text) is not None

    @cached_property
    def concedes(self) -> bool:
        return _CONCESSION.search(self.text) is not None

    @cached_property
    def sides(self) -> Sides:
        """The side of each pair of opposites on which it stands."""
        return sides_of(undisguised(self.text))

    @cached_property
    def topic(self) -> frozenset[str]:
        """The stems but for days and for words that have an opposite: those are compared for themselves too."""
        return _without_figures(stems_of(without_dates(without_sides(self.text)))) or self.stems

    @cached_property
    def pins(self) -> Pins:
        text = undisguised(_LIST_MARK.sub("", self.text))
        figures = frozenset(quantities_in(text))
        return Pins(
            figures,
            frozenset({figure.value for figure in figures} | spelt_in(text)),
            frozenset(places_in(text)),
            dates_in(text),
            frozenset(match.group().lower() for match in _SECRET.finditer(text)),
            FREE.search(text) is not None,
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
    return set(filter(None, map(telling, map(str.lower, _WORD.findall(_ENDINGS.sub(" ", text))))))


def _without_figures(stems: Iterable[str]) -> frozenset[str]:
    return frozenset(stem for stem in stems if not stem.isdigit())


def telling(word: str) -> str:
    """Return what a word in lower case is compared by; "" if it tells nothing."""
    found = "" if word in STOP_WORDS else SAME.get(word) or stem(word)
    return "" if found in _EMPTY else found
