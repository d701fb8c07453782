"""Converts text to the form that a reader sees: without invisible characters, and with plain letters instead of
homoglyphs. Pure.

Invisible characters can hide words from a reader, bidirectional ones can reverse them, and stacked accents can cover
the line above. Only those needed for writing are kept: joiners inside Arabic and Indic words and emoji, and emoji
selectors. A reader sees "refunded" even if the word contains a letter from another script, small capitals, an entity or
an invisible character, so search, models and checks must see the same word.
"""

import html
import re
import unicodedata
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

import orjson

MAX_QUESTION_CHARACTERS: Final = 6_000

# Format characters, fillers, variation selectors, tags, interlinear notes, and noncharacters.
_UNSEEN_BELOW: Final = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
)
_UNSEEN: Final = f"{_UNSEEN_BELOW}\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff" + "".join(
    f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0x10000, 0x110000, 0x10000)
)
# For patterns in schemas: no escape beyond U+FFFF works in all validators.
UNSEEN_IN_SCHEMAS: Final = "".join(sign if sign == "-" else f"\\u{ord(sign):04x}" for sign in _UNSEEN_BELOW)
INVISIBLE: Final = re.compile(f"[{_UNSEEN}]")
_EMOJI: Final = "\u00a9\u00ae\u203c-\u3299\U0001f000-\U0001faff"
_JOINING: Final = "\u0620-\u06d3\u0750-\u08ff\u0900-\u0dff\u0f00-\u109f"
_NEEDED: Final = (
    rf"(?<=[{_JOINING}])[\u200c\u200d](?=[{_JOINING}])"
    rf"|(?<=[{_EMOJI}\ufe0f])\u200d(?=[{_EMOJI}])|(?<=[{_EMOJI}])[\ufe0e\ufe0f]|(?<=[#*0-9])\ufe0f(?=\u20e3)"
)
_HIDDEN: Final = re.compile(f"({_NEEDED})|[{_UNSEEN}]")
_ACCENTS: Final = "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
_MAX_ACCENTS: Final = 3  # accents per letter; no language uses more
_STACK: Final = re.compile(f"([{_ACCENTS}]{{{_MAX_ACCENTS}}})[{_ACCENTS}]+")
# When a log is displayed, the text after a lone carriage return would overwrite the line.
_LINE_ENDS: Final = re.compile("\r\n?|[\u0085\u2028\u2029]")
# PostgreSQL rejects NUL, and UTF-8 rejects lone surrogates; the other control characters have no meaning in a chat.
_UNSTORABLE: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
# Accents that remain after composition and strike through, encircle or cover neighbouring letters.
_LEFT_OVER_ACCENT: Final = re.compile(
    "[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
)
# Readers take these characters for the given letters, although Unicode's table, which compares shapes, lists no letter
# or a different one.
_READ_AS: Final = {
    "ь": "b", "ς": "c", "є": "e", "ε": "e", "Ꮖ": "I", "к": "k", "κ": "k", "ӏ": "l", "м": "m", "п": "n", "ʉ": "u",
    "μ": "u", "ω": "w", "χ": "x", "℮": "e",
    "。": ".", "․": ".", "−": "-", "‐": "-", "‑": "-", "‒": "-", "﹣": "-", "’": "'", "‘": "'", "ʼ": "'",
    "\u1680": " ",
}  # fmt: skip
_KEPT_ACCENTS: Final = frozenset("äöüÄÖÜ")
# "LATIN SMALL LETTER D WITH STROKE", "LATIN LETTER SMALL CAPITAL N", "NEGATIVE SQUARED LATIN CAPITAL LETTER A".
_NAMED_AFTER: Final = re.compile(
    r"(?:LATIN (?P<small>SMALL) LETTER|(?:NEGATIVE (?:CIRCLED|SQUARED) )?LATIN CAPITAL LETTER"
    r"|LATIN LETTER (?P<petite>SMALL CAPITAL)|REGIONAL INDICATOR SYMBOL LETTER) (?P<letter>[A-Z])(?: WITH .*)?"
)
# Letters in boxes and flags, for which Unicode defines no plain form.
_BOXED: Final = "\U0001f150-\U0001f169\U0001f170-\U0001f189\U0001f1e6-\U0001f1ff"
# Scripts whose letters nobody mistakes for Latin letters; a word may mix both, as in "Tシャツ".
_UNMISTAKABLE: Final = frozenset({
    "CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "ARABIC", "HEBREW", "DEVANAGARI", "BENGALI", "GURMUKHI",
    "GUJARATI", "ORIYA", "TAMIL", "TELUGU", "KANNADA", "MALAYALAM", "SINHALA", "THAI", "LAO", "TIBETAN", "MYANMAR",
    "KHMER", "GEORGIAN", "ETHIOPIC", "MONGOLIAN", "FEMININE", "MASCULINE", "MODIFIER",
})  # fmt: skip
_WORD: Final = re.compile(r"[^\W_]+")
_MARKED_WORD: Final = re.compile(f"(?:[^\\W_]|[{_BOXED}])+")
_DECORATION: Final = re.compile(f"(?<=[ -~]){_LEFT_OVER_ACCENT.pattern}+")
_BLANKS: Final = str.maketrans({"\u1680": " ", "\u0085": "\n", "\u2028": "\n", "\u2029": "\n", "−": "-", "İ": "I"})
_ENTITY: Final = re.compile(r"&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z]\w{1,30});", re.IGNORECASE)


class _Folds(dict[int, str]):
    """A table for `str.translate` that computes a character's plain form when it first occurs."""

    def __missing__(self, code: int) -> str:
        self[code] = _folded(chr(code))
        return self[code]


_FOLDS: Final = _Folds()


def visible(text: str) -> str:
    """Return the text without invisible characters, and with uniform line breaks."""
    if text.isascii() and "\r" not in text:
        return text
    apart = _LINE_ENDS.sub("\n", text).replace("\ufffa", " ")  # separates a text from the note written above it
    return _STACK.sub(r"\1", _HIDDEN.sub(lambda sign: sign[1] or "", apart))


_MARKUP: Final = re.compile(r"[*_~`\\]+(?=\w)|(?<=\w)[*_~`\\]+")
_FENCE_LINE: Final = re.compile(r"^[ \t]*(?:`{3,}|~{3,})[^\n]*$", re.MULTILINE)
# Short vowels, doubled letters and stretched lines in Arabic; vowel points in Hebrew. Few people write them.
_VOWEL_MARKS: Final = re.compile("[\u0640\u064b-\u065f\u0670\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]")
_APART: Final = re.compile(r"(?<!\w)(?:[^\W\d_][ ·•.|/-]){3,}[^\W\d_](?!\w)")


def shown_text(text: str) -> str:
    """Return a model's text without invisible characters, control characters or lone surrogates."""
    return text if text.isascii() and text.isprintable() else _UNSTORABLE.sub("", visible(text))


def fold_homoglyphs(text: str) -> str:
    """Return the text in the form that the checks read: NFKC, entities resolved, look-alike letters made Latin."""
    text = without_entities(text)
    return text if text.isascii() else _with_folded_letters(text)


@lru_cache(maxsize=1_024)  # several checks read each page and each sentence
def _with_folded_letters(text: str) -> str:
    return _LEFT_OVER_ACCENT.sub("", _composed(text).translate(_FOLDS))


def without_entities(text: str) -> str:
    """Return the text with its HTML entities resolved."""
    return _ENTITY.sub(lambda entity: html.unescape(entity.group()), text) if "&" in text else text


def plain_words(text: str) -> str:
    """Return the text with plain letters in all words that mix similar-looking scripts or are crossed out.

    Words in a single script are unchanged: Russian is not a disguise.
    """
    if text.isascii() and "\r" not in text:
        return text
    return _MARKED_WORD.sub(_plain_word, _DECORATION.sub("", _composed(text).translate(_BLANKS)))


@lru_cache(maxsize=512)  # each sentence is read several times
def as_read(text: str) -> str:
    """Return the text as readers perceive it: without homoglyphs, without markup inside words, with spaced letters
    joined, and without the vowel marks that Arabic and Hebrew may add to any word.

    Unlike `fold_homoglyphs`, this keeps accents, for code that depends on the language.
    """
    plain = plain_words(without_entities(text))
    plain = plain if plain.isascii() else _VOWEL_MARKS.sub("", plain)
    plain = _MARKUP.sub("", _FENCE_LINE.sub("", plain)).strip()
    return _APART.sub(lambda found: re.sub(r"[^\w]", "", found.group()), plain)


def mixes_scripts(text: str) -> bool:
    """Return whether a word mixes Latin letters with letters of a similar-looking script."""
    return not text.isascii() and any(_is_mixed(word) for word in _WORD.findall(_composed(text)))


def normalised(text: str) -> str:
    """Return a customer's text in NFKC, without invisible characters or homoglyphs, so that search and models get the
    text that a reader sees.
    """
    return plain_words(without_entities(text)).strip()[:MAX_QUESTION_CHARACTERS]


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", INVISIBLE.sub("", visible(text)))


def _plain_word(found: re.Match[str]) -> str:
    word = found.group()
    return fold_homoglyphs(word) if _is_disguised(word) else word


def _is_disguised(word: str) -> bool:
    return _is_mixed(word) or (len(word) > 2 and re.match(f"[{_BOXED}]", word) is not None)


def _is_mixed(word: str) -> bool:
    if word.isascii():
        return False
    # NFKC turns the micro sign into a Greek letter
    letters = [letter for letter in word if letter.isalpha() and letter != "μ"]
    scripts = {_script(letter) for letter in letters}
    return "LATIN" in scripts and not scripts <= _UNMISTAKABLE | {"LATIN"}


def _folded(sign: str) -> str:
    """Return the ASCII letter that a character looks like, or the character itself if there is none."""
    if sign.isascii() or sign in _KEPT_ACCENTS:
        return sign
    if sign in _READ_AS:
        return _READ_AS[sign]
    base = _without_accents(sign)
    if base.isascii():
        return base if base.isalpha() else sign
    return _READ_AS.get(base) or _named_after(base) or _look_alikes().get(base, sign)


def _without_accents(letter: str) -> str:
    return "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))


def _named_after(sign: str) -> str:
    """Return the letter that a character is a form of, according to its Unicode name; "" if there is none."""
    name = _NAMED_AFTER.fullmatch(unicodedata.name(sign, "")) if len(sign) == 1 else None
    if not name:
        return ""
    return name["letter"].lower() if name["small"] or name["petite"] else name["letter"]


@cache
def _look_alikes() -> dict[str, str]:
    """Return the characters that look like an ASCII letter, from Unicode's confusables (UTS 39)."""
    table = orjson.loads((files("confusable_homoglyphs") / "confusables.json").read_bytes())
    found = {}
    for sign, shapes in table.items():
        if len(sign) == 1 and sign.isalpha() and not sign.isascii() and _script(sign) not in _UNMISTAKABLE:
            letters = [letter for shape in shapes if (letter := _plain_shape(sign, shape["c"]))]
            if letters:
                found[sign] = letters[0]
    return found


def _plain_shape(sign: str, shape: str) -> str:
    """Return the ASCII letter of a shape; "" if it has none. Capitals remain capitals, even though "l" looks like
    "I".
    """
    base = _without_accents(shape)
    letter = base if base.isascii() else _named_after(base)
    if len(letter) != 1 or not letter.isalpha():
        return ""
    return "I" if letter == "l" and sign.isupper() else letter


@lru_cache(maxsize=4_096)
def _script(letter: str) -> str:
    return unicodedata.name(letter, "UNNAMED").partition(" ")[0]
