"""Splits texts into words, finds stems, and picks the words that carry meaning. Pure."""

import json
import re
import threading
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, Protocol

# Scripts without spaces between words: Thai, Lao, Burmese, Khmer, Kana, Han.
_UNSPACED: Final = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u1000-\u103f\u1780-\u17d3\u3041-\u30ff\u3400-\u9fff\uf900-\ufaff"
)
# Python does not count vowel signs and accents as letters, but they are part of their words.
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
_TITLES: Final = files("supportbot.language") / "data" / "titles.json"
_STOP_WORDS: Final = files("supportbot.language") / "data" / "stopwords"
_SAME_LIST: Final = {"nn": "nb", "no": "nb"}
# Longer "words" are addresses, keys and noise: stemming them takes a long time, and their stems mean nothing.
_LONGEST_STEMMED: Final = 40
_SENTENCE_CHARACTERS: Final = 400
_BEGINNING: Final = 4  # letters; this ignores endings and differences between languages ("transport", "transporte")
_MIN_SHARED: Final = 4  # letters that forms of a word must share at the beginning or end
_SURELY_SIMILAR: Final = 5


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...


_of_thread = threading.local()  # stemmers are not thread-safe, because they store the current word


def words(text: str) -> list[str]:
    """Return the words of `text` in order, casefolded.

    Words are split at apostrophes and hyphens; a figure such as "6,90" is one word. Text in scripts without spaces is
    split into overlapping pairs of characters, so that texts that share a word share pairs.
    """
    return list(_words_of_sentence(text) if len(text) <= _SENTENCE_CHARACTERS else _words(text))


def _parts(word: str, start: int, *, is_unspaced: bool) -> Iterator[tuple[str, int]]:
    if is_unspaced and len(word) > 2:
        yield from ((word[at : at + 2], start + at) for at in range(len(word) - 1))
    else:
        yield word, start


@lru_cache(maxsize=1_024)  # every check of a sentence needs its words
def _words_of_sentence(text: str) -> tuple[str, ...]:
    return tuple(_words(text))


def _words(text: str) -> Iterator[str]:
    plain = text if text.isascii() else unicodedata.normalize("NFC", text)
    for found in _WORD.finditer(plain.casefold()):
        if found.lastgroup is None:  # in a script with spaces
            yield found.group()
        else:
            yield from (part for part, _ in _parts(found.group(), 0, is_unspaced=True))


@lru_cache(maxsize=50_000)
def stem(word: str, language: str) -> str:
    """Return the stem of a casefolded word; the word itself if Snowball does not know the language."""
    algorithm = _ALGORITHMS.get(language)
    if algorithm is None or len(word) > _LONGEST_STEMMED or not word.isalpha():
        return word
    return _stemmer(algorithm).stemWord(word)


def has_stemmer(language: str) -> bool:
    """Return whether Snowball knows the language."""
    return language in _ALGORITHMS


def _stemmer(algorithm: str) -> _Stemmer:
    known: dict[str, _Stemmer] = _of_thread.__dict__
    if algorithm not in known:
        import Stemmer  # loaded only in processes that need its tables

        known[algorithm] = Stemmer.Stemmer(algorithm, 0)  # 0: no cache, because there would be one for each thread
    return known[algorithm]


def stems(text: str, language: str) -> list[str]:
    """Return the stems of all words of `text`, in order."""
    return [stem(word, language) for word in words(text)]


def beginnings(text: str) -> frozenset[str]:
    """Return the beginnings of the text's longer words, without accents. They are used to compare forms of words, even
    across languages.
    """
    return frozenset(beginning(word) for word in words(text) if word.isalpha() and len(word) >= _BEGINNING)


def beginning(word: str) -> str:
    return without_accents(word)[:_BEGINNING]


def without_accents(word: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", word) if not unicodedata.combining(sign))


def content_stems(text: str, language: str) -> set[str]:
    """Return the stems of the content words: those that have more than one letter and are not stop words.

    In languages without a list of stop words, all words count.
    """
    silent = stop_words(language)
    return {stem(word, language) for word in words(text) if word not in silent and _has_meaning(word)}


def _has_meaning(word: str) -> bool:
    """Return whether a word carries meaning. A single letter, such as the rest of an elision ("l'", "'s"), does not;
    figures and characters of scripts without spaces do.
    """
    return len(word) > 1 or not word.isalpha() or bool(re.match(f"[{_UNSPACED}]", word))


@cache
def stop_words(language: str) -> frozenset[str]:
    """Return the casefolded stop words of a language; empty if there is no list."""
    listed = _STOP_WORDS / f"{_SAME_LIST.get(language, language)}.txt"
    return frozenset(listed.read_text(encoding="utf-8").casefold().split()) if listed.is_file() else frozenset()


@cache
def languages_with_stop_words() -> frozenset[str]:
    """Return the languages whose stop words are known."""
    return frozenset(entry.name.removesuffix(".txt") for entry in _STOP_WORDS.iterdir() if entry.name.endswith(".txt"))


@cache
def languages_by_stop_word() -> Mapping[str, Sequence[str]]:
    """Return the languages of each stop word, by word."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for language in languages_with_stop_words():
        for word in stop_words(language):
            found[word].append(language)
    return dict(found)


def stem_similarity(word: str, terms: Collection[str]) -> float:
    """Return how well the best of these stems matches a word's stem: 1 if it is the same, 0 if none is similar."""
    return 1.0 if word in terms else max((_similarity_of(word, term) for term in terms), default=0.0)


@lru_cache(maxsize=65_536)
def _similarity_of(word: str, found: str) -> float:
    """Return how well a stem matches a different one: a value below 1 for a longer form or a compound, otherwise 0."""
    short, long = sorted((word, found), key=len)
    if len(short) < _MIN_SHARED:
        return 0.0
    if long.startswith(short):
        return 0.7 if len(short) >= _SURELY_SIMILAR or len(long) - len(short) <= 2 else 0.4
    # The last part of a compound carries its main meaning: "Versandkosten" are "Kosten".
    return 0.6 if len(short) >= _SURELY_SIMILAR and long.endswith(short) else 0.0


@cache
def person_titles(*forms: str) -> frozenset[str]:
    """Return the titles that precede names, in all languages, as `full` ("Herr") and `short` ("Dr") forms."""
    listed: dict[str, dict[str, list[str]]] = json.loads(_TITLES.read_text(encoding="utf-8"))
    return frozenset(title for titles in listed.values() for form in forms for title in titles[form])
