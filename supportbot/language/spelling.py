"""Corrects typing errors with the help of known words: "retrun", "adress", "Liferung". Pure.

Only unknown words are corrected, and only to a known word that differs by one typing error: two swapped letters, or a
missing or extra letter inside the word. A changed letter or ending too often makes a different word ("parking" and
"packing", "shopping" and "shipping"), and the first letter is nearly always right.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_TYPED: Final = re.compile(r"(?<![\w-])[^\W\d_]{4,40}(?![\w-])")


def word_counts(text: str) -> Counter[str]:
    """Return the number of occurrences of each word in the text, in lower case."""
    return Counter(map(str.lower, _TYPED.findall(text)))


def corrected_spelling(text: str, known: Mapping[str, int]) -> str:
    """Return the text with its typing errors corrected. `known` contains the known words in lower case, with their
    counts.
    """
    return _TYPED.sub(lambda match: with_case_of(closest_word(match.group().lower(), known), match.group()), text)


def with_case_of(corrected: str, typed: str) -> str:
    """Return the corrected word in the case of the typed word; if there is no correction, return the typed word."""
    return (corrected.capitalize() if typed[0].isupper() else corrected) or typed


def closest_word(word: str, known: Mapping[str, int]) -> str:
    """Return the most frequent known word that may have been meant by a lower-case word; "" if there is none."""
    if word in known:
        return ""
    plain = _without_accents(word)
    near = (other for other in known if len(other) > 3 and _is_typing_error(plain, _without_accents(other)))
    return max(near, key=lambda other: known[other], default="")


@lru_cache(maxsize=20_000)
def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


def _is_typing_error(typed: str, known: str) -> bool:
    if typed[0] != known[0] or abs(len(typed) - len(known)) > 1 or typed.startswith(known) or known.startswith(typed):
        return False
    at = next(place for place, (one, other) in enumerate(zip(typed, known, strict=False)) if one != other)
    if len(typed) != len(known):
        return typed[at:] == known[at + 1 :] if len(typed) < len(known) else typed[at + 1 :] == known[at:]
    return typed[at : at + 2] == known[at : at + 2][::-1] and typed[at + 2 :] == known[at + 2 :]
