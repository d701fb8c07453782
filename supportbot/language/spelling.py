"""Slips of the keyboard, put right by words that are known: "retrun", "adress", "Liferung". Pure.

Only what is no known word is changed, and only into one that differs by a slip: two letters that changed places, or one
inside that is missing or too many. Another letter makes another word too often ("parking" and "packing", "shopping" and
"shipping"), and so does another ending; the first letter of a slip is nearly always right.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_WORD: Final = re.compile(r"(?<![\w-])[^\W\d_]{4,40}(?![\w-])")


def counted(text: str) -> Counter[str]:
    """Return the words of a text in small letters, with how often each stands there."""
    return Counter(map(str.lower, _WORD.findall(text)))


def respelled(text: str, known: Mapping[str, int]) -> str:
    """Return a text with its slips put right; `known` says of each word in small letters how often it was met."""
    return _WORD.sub(lambda match: as_written(meant_by(match.group().lower(), known), match.group()), text)


def as_written(meant: str, said: str) -> str:
    """Return what was meant in the letters, large or small, of what was said; that itself where nothing was found."""
    return (meant.capitalize() if said[0].isupper() else meant) or said


def meant_by(word: str, known: Mapping[str, int]) -> str:
    """Return the known word, the most usual one, that a word in small letters is a slip of; "" for none."""
    if word in known:
        return ""
    plain = _without_accents(word)
    near = (other for other in known if len(other) > 3 and _is_slip(plain, _without_accents(other)))
    return max(near, key=lambda other: known[other], default="")


@lru_cache(maxsize=20_000)
def _without_accents(word: str) -> str:
    if word.isascii():
        return word
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


def _is_slip(said: str, meant: str) -> bool:
    if said[0] != meant[0] or abs(len(said) - len(meant)) > 1 or said.startswith(meant) or meant.startswith(said):
        return False
    at = next(place for place, (one, other) in enumerate(zip(said, meant, strict=False)) if one != other)
    if len(said) != len(meant):
        return said[at:] == meant[at + 1 :] if len(said) < len(meant) else said[at + 1 :] == meant[at:]
    return said[at : at + 2] == meant[at : at + 2][::-1] and said[at + 2 :] == meant[at + 2 :]
