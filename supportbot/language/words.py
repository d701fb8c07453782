"""The words of a text, their stems, and which of them tell something. Pure."""

import re
import threading
import unicodedata
from collections.abc import Collection, Iterator
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Protocol

import snowballstemmer

# Written without spaces between words: Thai, Lao, Burmese, Khmer, Kana, Han.
_UNSPACED: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u1000-\u103f\u1780-\u17d3\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
)
# Vowel signs and accents are no letters to Python and yet belong to the word they stand in.
_MARKS: Final = "\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0903\u093a-\u094f\u0980-\u0dff"
_WORD: Final = re.compile(
    rf"(?P<unspaced>[{_UNSPACED}\U00020000-\U0003ffff]+)|\d++(?:[.,:]\d++)*+(?![^\W\d_])|(?:[^\W_{_UNSPACED}]|[{_MARKS}])+"
)

# ISO 639-1 -> the name of Snowball's algorithm.
_ALGORITHMS: Final = {
    "ar": "arabic", "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english",
    "eo": "esperanto", "es": "spanish", "et": "estonian", "eu": "basque", "fa": "persian", "fi": "finnish",
    "fr": "french", "ga": "irish", "hi": "hindi", "hu": "hungarian", "hy": "armenian", "id": "indonesian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian", "ne": "nepali", "nl": "dutch", "nn": "norwegian",
    "no": "norwegian", "pl": "polish", "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian",
    "st": "sesotho", "sv": "swedish", "ta": "tamil", "tr": "turkish", "yi": "yiddish",
}  # fmt: skip
_STOP_WORDS: Final = files("supportbot.language") / "data" / "stopwords"
_SAME_LIST: Final = {"nn": "nb", "no": "nb"}
# Longer "words" are addresses, keys and noise: a stemmer's time grows with them and their stem says nothing.
_LONGEST_STEMMED: Final = 40
_LEAST_LIKE: Final = 4  # letters that two words must share at an end to be forms of one
_SURELY_LIKE: Final = 5


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...


_of_thread = threading.local()  # a stemmer keeps the word it works on in itself


def words(text: str) -> list[str]:
    """Return the words of `text` in their order, casefolded.

    Words are split at apostrophes and hyphens; a figure such as "6,90" is one word. What is written without spaces is
    cut into overlapping pairs of characters, so that two texts that share a word share pairs.
    """
    return list(_words(text if text.isascii() else unicodedata.normalize("NFC", text)))


def _parts(word: str, start: int, *, is_unspaced: bool) -> Iterator[tuple[str, int]]:
    if is_unspaced and len(word) > 2:
        yield from ((word[at : at + 2], start + at) for at in range(len(word) - 1))
    else:
        yield word, start


def _words(text: str) -> Iterator[str]:
    for found in _WORD.finditer(text.casefold()):
        yield from (part for part, _ in _parts(found.group(), 0, is_unspaced=found["unspaced"] is not None))


@lru_cache(maxsize=50_000)
def stem(word: str, language: str) -> str:
    """Return the stem of a casefolded word; the word itself where Snowball does not know the language."""
    algorithm = _ALGORITHMS.get(language)
    if algorithm is None or len(word) > _LONGEST_STEMMED or not word.isalpha():
        return word
    return _stemmer(algorithm).stemWord(word)


def _stemmer(algorithm: str) -> _Stemmer:
    known: dict[str, _Stemmer] = _of_thread.__dict__
    if algorithm not in known:
        known[algorithm] = snowballstemmer.stemmer(algorithm)
    return known[algorithm]


def stems(text: str, language: str) -> list[str]:
    """Return the stems of all words of `text`, in their order."""
    return [stem(word, language) for word in words(text)]


def telling_stems(text: str, language: str) -> set[str]:
    """Return the stems of the words that are no stop words of the language and more than one letter long.

    All words tell something in a language without a list here.
    """
    silent = stop_words(language)
    return {stem(word, language) for word in words(text) if word not in silent and _is_telling(word)}


def _is_telling(word: str) -> bool:
    """A lone letter is what an elision left ("l'", "'s"); a figure or a sign of a script without spaces is a word."""
    return len(word) > 1 or not word.isalpha() or bool(re.match(f"[{_UNSPACED}]", word))


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the stop words of a language, casefolded; none where there is no list."""
    listed = _STOP_WORDS / f"{_SAME_LIST.get(language, language)}.txt"
    return frozenset(listed.read_text(encoding="utf-8").casefold().split()) if listed.is_file() else frozenset()


@cache
def languages_with_stop_words() -> frozenset[str]:
    """Return the languages whose stop words are known."""
    return frozenset(entry.name.removesuffix(".txt") for entry in _STOP_WORDS.iterdir() if entry.name.endswith(".txt"))


def likeness(asked: str, terms: Collection[str]) -> float:
    """Return how far one of these stems stands for another one: 1 if it is among them, 0 if none is like it."""
    return 1.0 if asked in terms else max((_likeness_of(asked, term) for term in terms), default=0.0)


@lru_cache(maxsize=65_536)
def _likeness_of(asked: str, found: str) -> float:
    """Return how far one stem stands for another: less than 1 for a longer form or a compound, else 0."""
    short, long = sorted((asked, found), key=len)
    if len(short) < _LEAST_LIKE:
        return 0.0
    if long.startswith(short):
        return 0.7 if len(short) >= _SURELY_LIKE or len(long) - len(short) <= 2 else 0.4
    # The last part of a compound names the thing: Versandkosten are Kosten.
    return 0.6 if len(short) >= _SURELY_LIKE and long.endswith(short) else 0.0
