"""Splits a stream of text into sentences as it arrives. Pure.

A sentence ends with its full stop and any markers after it, but only after the next sentence has begun. A line break
also ends a sentence. A fenced code block is a sentence, including the markers on the line after it.

A doubtful full stop ends a sentence, because two joined sentences would be judged as one: splitting too often may lose
a citation, but joining could hide an invention behind a fact. The words that this depends on ("source", "step",
abbreviations) are data for all languages (`data/sentences.json`).
"""

import json
import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

from supportbot.language.figure_vocabulary import figure_words
from supportbot.language.words import person_titles

# longer text without the end of a sentence is checked as one sentence and withheld
MAX_SENTENCE_CHARACTERS: Final = 1_500
QUESTIONS: Final = ("?", "？", "؟")
LEADS: Final = (":", "：")
_DATA: Final = Path(__file__).parent / "data" / "sentences.json"


def _listed(kind: str) -> list[str]:
    """Return the words of a kind in all languages, the longest first."""
    listed: dict[str, dict[str, list[str]]] = json.loads(_DATA.read_text(encoding="utf-8"))
    return sorted({word for words in listed.values() for word in words[kind]}, key=lambda word: (-len(word), word))


def _begun(word: str) -> str:
    """Return a pattern for a word whose end may not have arrived yet."""
    pattern = r"(?:\Z|[\s\d])"
    for letter in reversed(word):
        pattern = rf"(?:{re.escape(letter)}{pattern}|\Z)"
    return pattern


def _abbreviation(entry: str) -> Iterator[str]:
    """Yield a pattern for each full stop of an abbreviation: the parts before it, the full stop, a NUL and, if there is
    one, the next part. The entry "z. B" has two full stops, so it yields two patterns.
    """
    parts = [re.escape(part) for part in entry.split(". ")]
    for number in range(1, len(parts) + 1):
        rest = rf"\s?{parts[number]}\b" if number < len(parts) else ""
        yield r"\.\s?".join(parts[:number]) + rf"\.\0{rest}"


def _any_of(patterns: Iterable[str]) -> str:
    return f"(?:{'|'.join(patterns)})"


_SOURCES: Final = _listed("sources")
_STEP: Final = _any_of(map(re.escape, _listed("steps")))
# [1], [1, 2], [1-3], [^1], [Source 1], 【1†source】, and (1) at the end of a sentence.
_NUMBERS: Final = r"\d{1,2}(?:\s*[,–-]\s*\d{1,2})*"
_SOURCE: Final = rf"(?:\^|{_any_of(map(re.escape, _SOURCES))}\s*)?"
_BRACKETED: Final = rf"[\[【]\s*{_SOURCE}(?P<numbers>{_NUMBERS})(?:†[^\]】]*)?\s*[\]】]"
MARKER: Final = re.compile(rf"{_BRACKETED}|(?<=\s)\((?P<last>{_NUMBERS})\)(?=[.!?]?(?:\s*\Z|\s*\n))", re.IGNORECASE)
_MARKER_WITH_BLANK: Final = re.compile(rf"[ \t]*(?:{MARKER.pattern})", re.IGNORECASE)
_AFTER: Final = _BRACKETED.replace("?P<numbers>", "?:")
# The beginning of another sentence. A bracket counts only if it can no longer become a marker, unlike
# "[Source".
_NO_MARKER: Final = rf"[^\s\[【]|[\[【]\s*(?!\Z|[\s^\d]|{_any_of(map(_begun, _SOURCES))})"
_END: Final = re.compile(
    rf"""(?:[.!?…]["”’»)*_]*)(?:\s*{_AFTER})*(?P<gap>\s+)(?={_NO_MARKER})
    | [。！？]["”’»」』）]*(?:\s*{_AFTER})*(?=[^\s\[【"”’»」』）。！？])
    | \n+""",
    re.VERBOSE | re.IGNORECASE,
)
_STOPS: Final = ".!?…。！？"
_END_SIGN: Final = re.compile(rf"[{_STOPS}\n]")
_ENDED: Final = re.compile(rf"""[.!?…。！？]["”’»)*_]*(?:\s*{_AFTER})*[.!?]?\s*\Z""", re.VERBOSE | re.IGNORECASE)
_FENCE: Final = re.compile(r"\s*(?P<mark>`{3,}|~{3,})[^\n]*\n")
_BEHIND_FENCE: Final = rf"[ \t]*(?:\n\s*(?:{_AFTER}\s*)*|\Z)"
_UNFINISHED_MARKER: Final = re.compile(r"[\[【][^\]】]*")
_ABBREVIATIONS: Final = (*_listed("abbreviations"), *person_titles("short"))
_ABBREVIATION: Final = re.compile(r"\b" + _any_of(one for entry in _ABBREVIATIONS for one in _abbreviation(entry)))
_LIST_NUMBER: Final = re.compile(r"(?:^|\n)[\s*_>-]*\(?\d{1,2}\.$")
_ORDINAL: Final = re.compile(r"(?<!\d)\d{1,2}\.$")
_NEXT_WORD: Final = re.compile(r"\s+([^\W\d_]+)")
_LIST_MARK: Final = re.compile(
    rf"^(?:[\s>]*[-*•+]\s+)?[\s*_]*(?:\(?\d{{1,2}}[.)]|\(?[a-z]\)|{_STEP}\s+\d{{1,2}}\s*[:.)–-])[*_]*\s+",
    re.IGNORECASE,
)

_ITEM_MARK: Final = re.compile(r"\s*(?:[-*•+]|\(?\d{1,2}[.)])\s+")


def split_first_sentence(text: str, seen: int = 0) -> tuple[str, str] | None:
    """Return (first sentence with the white space after it, rest), or None while the first sentence is unfinished.

    An earlier call has found no end in the first `seen` characters, so only the last full stop among them can still
    become one.
    """
    if opens_fence(text):
        return _split_off_fence(text)
    begin = max(0, *(text.rfind(stop, 0, seen) for stop in _STOPS)) if seen else 0
    sign = _END_SIGN.search(text, begin)  # this runs for each token of a stream, and most tokens end no sentence
    for match in _END.finditer(text, sign.start()) if sign else ():
        if match["gap"] is None or not goes_on(text, match.start() + 1):
            return text[: match.end()], text[match.end() :]
    if len(text) > MAX_SENTENCE_CHARACTERS:
        return text, ""
    return None


def sentences_of(text: str) -> Iterator[str]:
    """Yield the sentences of a complete text, each with the white space after it."""
    while (cut := split_first_sentence(text)) is not None:
        sentence, text = cut
        yield sentence
    if text:
        yield text


def is_ended(text: str) -> bool:
    """Return whether the text ends like a sentence."""
    return _ENDED.search(text) is not None


def opens_fence(text: str) -> bool:
    """Return whether a code block begins here."""
    return text.lstrip().startswith(("```", "~~~"))


def fenced_part(sentence: str) -> tuple[str, str]:
    """Return (the code block at the beginning, the rest); ("", sentence) if there is none."""
    end = _end_of_fence(sentence)
    return (sentence[:end], sentence[end:]) if end else ("", sentence)


def _split_off_fence(text: str) -> tuple[str, str] | None:
    end = _end_of_fence(text)
    behind = re.compile(_BEHIND_FENCE, re.IGNORECASE).match(text, end) if end else None
    rest = text[behind.end() :] if behind else ""
    if behind is not None and rest.strip() and not _UNFINISHED_MARKER.fullmatch(rest):
        return text[: behind.end()], rest
    return (text, "") if len(text) > MAX_SENTENCE_CHARACTERS else None


def _end_of_fence(text: str) -> int:
    """Return the position where the code block at the beginning ends; 0 while it is open or if there is none."""
    opening = _FENCE.match(text)
    if opening is None:
        return 0
    mark = opening["mark"]
    closing = re.compile(rf"^ {{0,3}}{mark}{mark[0]}*(?=[ \t]*(?:\n|\Z))", re.MULTILINE).search(text, opening.end())
    return closing.end() if closing else 0


def goes_on(text: str, stop: int) -> bool:
    """Return whether the full stop before `stop` belongs to an abbreviation, the number of a list item or an ordinal
    number.
    """
    before = text[max(0, stop - 12) : stop]
    if _ABBREVIATION.search(f"{before}\0{text[stop : stop + 6]}"):
        return True
    if _ORDINAL.search(before) is None:
        return False
    return _LIST_NUMBER.search(text[:stop]) is not None or _is_no_beginning(text, stop)


def _is_no_beginning(text: str, stop: int) -> bool:
    """Return whether the next word cannot begin a sentence, because it is in lower case or is a month, as in "am 5.
    Mai".
    """
    following = _NEXT_WORD.match(text, stop)
    if following is None:
        return False
    word, months = following[1].casefold(), _months()
    is_cut = following.end() == len(text)  # the rest of a month may follow
    return following[1][0].islower() or word in months or (is_cut and any(month.startswith(word) for month in months))


@cache
def _months() -> frozenset[str]:
    return frozenset(map(str.casefold, figure_words().months))


@lru_cache(maxsize=256)  # the checks need this several times for each sentence
def without_markers(sentence: str) -> str:
    """Return the words of a sentence without its source markers; code is unchanged."""
    code, words = fenced_part(sentence)
    return f"{code}{unmarked(words)}".strip()


def unmarked(text: str) -> str:
    """Return the text without its source markers and the white space before them."""
    return _MARKER_WITH_BLANK.sub("", text)


def without_list_mark(sentence: str) -> str:
    """Return a list item without its number, which only counts the steps."""
    return _LIST_MARK.sub("", sentence, count=1)


def list_mark(line: str) -> str:
    """Return the white space and the mark at the beginning of a list item; "" if the line is not a list item."""
    found = _ITEM_MARK.match(line)
    return found.group() if found else ""


def marked_sources(sentence: str) -> list[int]:
    """Return the source numbers in a sentence, in order and without duplicates."""
    words = fenced_part(sentence)[1]
    return list(dict.fromkeys(number for marker in MARKER.finditer(words) for number in sources_of(marker)))


def sources_of(marker: re.Match[str]) -> list[int]:
    """Return the source numbers of a marker; "1-3" gives three."""
    parts = [re.split(r"\s*[–-]\s*", part.strip()) for part in (marker["numbers"] or marker["last"]).split(",")]
    return [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]
