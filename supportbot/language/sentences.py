"""Splits a stream of text into sentences as it arrives. Pure.

A sentence ends with its full stop and any markers after it, once the next sentence has begun. A line break also ends a
sentence. A fenced code block is one sentence, including the markers on the next line. A doubtful full stop ends a
sentence, because two joined sentences would be judged as one: splitting too often may lose a citation, but joining
could hide an invention behind a fact.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

# longer text without the end of a sentence is checked as one sentence and withheld
MAX_SENTENCE_CHARACTERS: Final = 1_500
QUESTIONS: Final = ("?", "？", "؟")
LEADS: Final = (":", "：")
# [1], [1, 2], [1-3], [^1], [Source 1], 【1†source】, and (1) at the end of a sentence.
_NUMBERS: Final = r"\d{1,2}(?:\s*[,–-]\s*\d{1,2})*"
_BRACKETED: Final = rf"[\[【]\s*(?:\^|(?:sources?|quellen?)\s*)?(?P<numbers>{_NUMBERS})(?:†[^\]】]*)?\s*[\]】]"
MARKER: Final = re.compile(rf"{_BRACKETED}|(?<=\s)\((?P<last>{_NUMBERS})\)(?=[.!?]?(?:\s*\Z|\s*\n))", re.IGNORECASE)
_MARKER_WITH_BLANK: Final = re.compile(rf"[ \t]*(?:{MARKER.pattern})", re.IGNORECASE)
_AFTER: Final = _BRACKETED.replace("?P<numbers>", "?:")
# The beginning of another sentence, including a bracket that can no longer become a marker ("[Source", "[Quelle").
_NO_MARKER: Final = r"[^\s\[【]|[\[【]\s*(?!\Z|[\s^\d]|so|s\Z|qu|q\Z)"
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
# "am 5. Mai" does not end a sentence
_MONTHS: Final = "jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez"
_ABBREVIATION: Final = re.compile(
    r"\b(?:e\.g|i\.e|z\. ?B|d\. ?h|u\. ?a|z|ca|approx|bzw|ggf|inkl|evtl|max|min|Nr|Str|Tel|vgl|vs|Mr|Mrs|Dr|Prof)\.$"
)
_LIST_NUMBER: Final = re.compile(r"(?:^|\n)[\s*_>-]*\(?\d{1,2}\.$")
_ORDINAL: Final = re.compile(r"(?<!\d)\d{1,2}\.$")
_GOES_ON: Final = re.compile(rf"\s+(?:[a-zäöüß]|(?i:{_MONTHS})\w*\b)")
_LIST_MARK: Final = re.compile(
    r"^(?:[\s>]*[-*•+]\s+)?[\s*_]*(?:\(?\d{1,2}[.)]|\(?[a-z]\)|(?:step|schritt)\s+\d{1,2}\s*[:.)–-])[*_]*\s+",
    re.IGNORECASE,
)

_ITEM_MARK: Final = re.compile(r"\s*(?:[-*•+]|\(?\d{1,2}[.)])\s+")


def split_first_sentence(text: str, seen: int = 0) -> tuple[str, str] | None:
    """Return (first sentence with the white space after it, rest), or None while the first sentence is unfinished.

    An earlier call found no end in the first `seen` characters, so among their full stops only the last can still
    become an end.
    """
    if opens_fence(text):
        return _split_off_fence(text)
    begin = max(0, *(text.rfind(stop, 0, seen) for stop in _STOPS)) if seen else 0
    sign = _END_SIGN.search(text, begin)  # runs for each token of a stream, and most contain no sentence end
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
    """Return the end of the code block at the beginning; 0 while it is open or if there is none."""
    opening = _FENCE.match(text)
    if opening is None:
        return 0
    mark = opening["mark"]
    closing = re.compile(rf"^ {{0,3}}{mark}{mark[0]}*(?=[ \t]*(?:\n|\Z))", re.MULTILINE).search(text, opening.end())
    return closing.end() if closing else 0


def goes_on(text: str, stop: int) -> bool:
    """Return whether the full stop before `stop` belongs to an abbreviation, a list number or an ordinal number."""
    before = text[max(0, stop - 12) : stop]
    if _ABBREVIATION.search(before):
        return True
    if _ORDINAL.search(before) is None:
        return False
    return _LIST_NUMBER.search(text[:stop]) is not None or _GOES_ON.match(text, stop) is not None


@lru_cache(maxsize=256)  # the checks need it several times for each sentence
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
    """Return the source numbers of one marker; "1-3" gives three."""
    parts = [re.split(r"\s*[–-]\s*", part.strip()) for part in (marker["numbers"] or marker["last"]).split(",")]
    return [number for part in parts for number in range(int(part[0]), int(part[-1]) + 1)]
