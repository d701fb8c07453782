"""Removes denied values from a message by leaving out clauses with a "not" or "nothing". Pure, apart from `intents`.

A "not" denies the value after it ("L-4412 not L-4411") or, if no value follows, the value before it ("the 5th isn't
possible so the 27th"). If a clause contains both a denied and a wanted value, the rest of the clause is read only if
the denied value is the card's own. So "neither the 26th nor the 27th" leads to no guess.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from supportbot.builtin import intents
from supportbot.builtin.actions.word_lists import word_lists
from supportbot.builtin.phrases import say
from supportbot.formats import babel_locale
from supportbot.language.figures import figures_in
from supportbot.language.operators import operators
from supportbot.language.words import stop_words, words

BREAK: Final = re.compile(r"\s*\n\s*|\s+[-–—]+\s+|\s*(?:[-=]+>|→)\s*|[.,;:!?…–—]+(?:\s+|$)")
_PLAIN_DAY: Final = re.compile(r"(?<![\w.,:/-])(?:0?[1-9]|[12]\d|3[01])$")
_BETWEEN: Final = 2  # maximum number of words between a "not" and the denied value, as in "not on the 5th"


@dataclass(frozen=True, slots=True)
class Named:
    """The arguments that a text gives the card's own value, and those that it gives a different value."""

    own: frozenset[str] = frozenset()
    other: frozenset[str] = frozenset()


Naming = Callable[[str], Named]


def denies(text: str, language: str) -> bool:
    """Return whether the text says "not", "nothing" or the like. A "no" alone, as in "no, the 27th" or "yok, 27'si",
    does not deny what follows it.
    """
    return bool(operators(text, language).get("not") or _has_negative_pronoun(text, language))


def _has_negative_pronoun(text: str, language: str) -> bool:
    """Return whether the text contains a word such as "nothing" or "nobody"."""
    tokens = words(text)
    kept = tokens[1:] if tokens[:1] and tokens[0] in word_lists()["meant"] else tokens
    no = words(say("no", language))
    return bool(operators(" ".join(word for word in kept if [word] != no), language).get("none"))


def without_denied(text: str, language: str, named: Naming) -> str:
    """Return the text without clauses that only deny something, and without the denied part of other clauses. A word
    such as "but" also ends a clause: "not the 5th but the 27th".
    """
    if not denies(text, language):
        return text
    clauses = [clause for part in _clauses(text, language) for clause in _split_at_contrast(part, language)]
    kept = (_kept(clause, language, named) for clause in clauses)
    return " ".join(clause for clause in kept if clause)


def has_dotted_days(language: str) -> bool:
    """Return whether a language writes a dot after the day, as in "27. März"."""
    return "d." in str(babel_locale(language).date_formats["long"].pattern)


def _clauses(text: str, language: str) -> list[str]:
    """Return the clauses of the text, including their punctuation."""
    days = [(one.start, one.end) for one in figures_in(text) if one.kind == "date"]
    clauses, begin = [], 0
    for found in BREAK.finditer(text):
        is_in_day = any(start < found.start() < end for start, end in days)
        if not is_in_day and not (found[0].strip() == "." and _is_dot_of_day(text, found, language)):
            clauses.append(text[begin : found.end()].strip())
            begin = found.end()
    return [clause for clause in (*clauses, text[begin:].strip()) if clause]


def _is_dot_of_day(text: str, dot: re.Match[str], language: str) -> bool:
    """Return whether a full stop marks a day and not the end of a sentence, as in "am 5. geht es nicht"."""
    goes_on = text[dot.end() : dot.end() + 1].islower()
    return goes_on and has_dotted_days(language) and _PLAIN_DAY.search(text[: dot.start()]) is not None


def _split_at_contrast(text: str, language: str) -> list[str]:
    """Return the parts of the text before, between and after words such as "but"."""
    parts: list[list[str]] = [[]]
    for word in text.split():
        if operators(word, language).get("instead"):
            parts.append([])
        else:
            parts[-1].append(word)
    return [" ".join(part) for part in parts if part]


def _kept(clause: str, language: str, named: Naming) -> str:
    """Return the part of a clause that says what the customer wants; "" if there is none."""
    if not denies(clause, language) or _is_plain_no(clause):
        return clause
    return (
        _behind_a_no(clause, language, named)
        or _before_a_condition(clause, language)
        or _beside_the_denied(clause, language, named)
    )


def _is_plain_no(clause: str) -> bool:
    """Return whether a clause is only a "no" and names nothing, like the first one in "No, the 27th"."""
    return not any(map(str.isdigit, clause)) and intents.is_mere_no(clause.strip(" .,;:!?…–—-"))


def _behind_a_no(clause: str, language: str, named: Naming) -> str:
    """Return a clause with a comma after the "no" at its beginning; "" if that "no" may mean "not", as it does in some
    languages. In "No el 27", it means "no" if the card has a different day, but not if a verb comes first ("No estoy el
    27").
    """
    first, _, rest = clause.partition(" ")
    if words(first) != words(say("no", language)) or denies(rest, language):
        return ""
    with_comma = f"{first}, {rest}"
    is_at_once = _words_before_a_value(rest, language, named, most=1) is not None
    return with_comma if is_at_once and named(with_comma).other and not named(with_comma).own else ""


def _before_a_condition(clause: str, language: str) -> str:
    """Return the text before an "if" clause that contains the "not", as in "the 27th if that's not a problem"; "" if
    there is none.
    """
    tokens = clause.split()
    start = next((at for at, word in enumerate(tokens) if operators(word, language).get("if")), 0)
    before = " ".join(tokens[:start])
    return "" if denies(before, language) else before


def _beside_the_denied(clause: str, language: str, named: Naming) -> str:
    """Return the text on the wanted side of a "not", if only the denied side names the card's own value; "" if it is
    unclear. It is unclear with "nothing", as in "L-4411 has nothing to do with L-4412".
    """
    if operators(clause, language).get("not") != 1 or _has_negative_pronoun(clause, language):
        return ""
    tokens = clause.split()
    place = next(at for at in range(len(tokens)) if operators(" ".join(tokens[: at + 1]), language).get("not"))
    before, after = " ".join(tokens[:place]), " ".join(tokens[place + 1 :])
    is_behind = _words_before_a_value(after, language, named, most=_BETWEEN) is not None
    wanted, denied = (before, after) if is_behind else (after, before)
    is_clear = not named(denied).other and not named(wanted).own
    return wanted if is_clear and named(denied).own & named(wanted).other else ""


def _words_before_a_value(text: str, language: str, named: Naming, *, most: int) -> int | None:
    """Return the number of small words, such as articles, before a value at the beginning of the text; None if the text
    does not begin like this or has more than `most` of them.
    """
    for at, word in enumerate(text.split()[: most + 1]):
        if any(map(str.isdigit, word)) or named(word) != Named():
            return at
        if not set(words(word)) <= stop_words(language):
            return None
    return None
