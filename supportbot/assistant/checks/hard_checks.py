"""The checks that apply in any language and at any strictness: no invented figures, codes or links, and no secrets (the
instructions, colleagues' notes, keys and card numbers). Pure.

A manipulated model may give its instructions away in pieces, backwards, in capitals, spaced out or in base64. So only
letters and digits are compared: forwards, backwards and decoded.
"""

import base64
import codecs
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final, Literal

from supportbot.assistant.checks.evidence import Evidence
from supportbot.language.figure_vocabulary import units_of
from supportbot.language.figures import figures_in
from supportbot.language.links import links_in
from supportbot.language.normalise import fold_homoglyphs, mixes_scripts
from supportbot.language.personal_data import passes_luhn
from supportbot.language.sentences import LEADS, fenced_part, unmarked, without_list_mark

# Matching text counts as disclosed if it has at least this many bare letters, more than any courtesy in the rules has.
RUN_OF_RULES: Final = 40
RUN_OF_NOTE: Final = 16
LEAST_RUN: Final = 8  # shorter matches may be chance; also the minimum length of a word with digits, such as a key
_MARKS: Final = re.compile(r"[\W_]+")
_ASCII_MARKS: Final = {code: None for code in range(128) if not chr(code).isalnum()}  # faster than the pattern
_NAME: Final = re.compile(r"(?=[\w-]*\d)(?=[\w-]*[^\W\d_])[\w-]+")
_KEY: Final = re.compile(
    r"\b(?:sk|vs|st|rk|whsec|gh[pousr]|xox[abprs]|AKIA|AIza)[-_][\w-]{10,}|\beyJ[\w-]{10,}\.[\w-]+"
)
_CODED: Final = re.compile(r"[A-Za-z0-9+/_-]{16,}={0,2}")
_URL_SAFE: Final = str.maketrans("-_", "+/")
_CARD: Final = re.compile(r"(?<![\w.])\d(?:[ -]?\d){12,18}(?![\w.]*\d)")
Code = Literal["figure", "code", "link", "secret", "disguise", "listing"]
_LISTED_FROM: Final = 0.6  # minimum support of a code listing, because nobody should run code that no page contains
_NUMBER_AT_END: Final = re.compile(r"\s(\d{1,2})\.$")
_PIECE: Final = 16  # characters; shorter sentences may be pieces of confidential text
# The form of a voucher code: three letters and two digits, or five capitals. Abbreviations that everyone knows are
# shorter (MP3, H2O, NASA) or hyphenated (COVID-19).
_CODE: Final = re.compile(  # in Latin letters, even next to letters of a script without spaces
    r"(?<![A-Za-z0-9_@./-])(?:[A-Za-z]{3,}\d{2,}[A-Za-z0-9]*|\d{2,}[A-Z]{3,}\d*|[A-Z]{5,}\d*)"
    r"(?![A-Za-z0-9_@]|[/.-][A-Za-z0-9])"
)
_INITIALS: Final = re.compile(r"\b\w")
_MAX_LOUD: Final = 2  # words in capitals; more words mean emphasis, not codes
_MAX_LISTED: Final = 20  # the largest number that may announce how many items follow, as in "These 5 steps:"


class Confidential:
    """The confidential text of a turn: the rules of the instructions and the team's note. Texts and names that are
    shorter than LEAST_RUN are ignored.
    """

    def __init__(self, rules: str = "", note: str = "") -> None:
        runs = {bare(rules): RUN_OF_RULES, bare(note): RUN_OF_NOTE}
        runs |= {(name := bare(written)): len(name) for written in _NAME.findall(note)}
        self._runs = {text: run for text, run in runs.items() if len(text) >= LEAST_RUN}
        self._longest = max(self._runs.values(), default=0)
        self._pieces = frozenset(piece for text in self._runs for piece in _pieces(text))
        self._traces = [frozenset(map(read, self._pieces)) for read in _READINGS]
        self._all_traces = frozenset[str]().union(*self._traces)

    def is_in(self, before: str, text: str) -> bool:
        """Return whether `text`, which follows `before`, discloses confidential text in any spelling or encoding."""
        return self._leaks(before, text, parts=1)

    def may_begin_in(self, before: str, text: str) -> bool:
        """Return whether an unfinished `text`, which follows `before`, may be about to disclose confidential text."""
        return self._leaks(before, text, parts=2)

    def may_go_on(self, letters: str, more: str) -> bool:
        """Return whether the bare letters in `more`, after those already shown, may be about to disclose confidential
        text.
        """
        return self._is_read(letters, more, parts=2)

    def _leaks(self, before: str, text: str, *, parts: int) -> bool:
        if not self._pieces:
            return False
        if any(self._holds_run(view, parts) for view in _decoded(before + text)):
            return True
        return self._is_read(bare(before), bare(text), parts)

    def _is_read(self, letters: str, more: str, parts: int) -> bool:
        """Return whether a confidential text, in any of its readings, may end in `more`. Earlier letters were checked
        when they arrived.

        This runs for every word of an answer, so a first comparison rules out most words: those that contain no piece
        of confidential text.
        """
        if not self._pieces:
            return False
        new = _pieces(letters[-LEAST_RUN + 1 :] + more)
        return not self._all_traces.isdisjoint(new) and any(
            not written.isdisjoint(new) and self._holds_run(read(letters[-self._longest + 1 :] + more), parts)
            for read, written in zip(_READINGS, self._traces, strict=True)
        )

    def _holds_run(self, view: str, parts: int) -> bool:
        pieces = _pieces(view)
        if self._pieces.isdisjoint(pieces):
            return False
        return any(piece in self._pieces and self._begins_here(view[at:], parts) for at, piece in enumerate(pieces))

    def _begins_here(self, view: str, parts: int) -> bool:
        for text, run in self._runs.items():
            least = min(max(LEAST_RUN, run // parts), len(text))
            if len(view) >= least and view[:least] in text:
                return True
        return False


def holds_secret(text: str) -> bool:
    """Return whether the text contains a key or a payment card number."""
    cards = ("".join(filter(str.isdigit, match.group())) for match in _CARD.finditer(fold_homoglyphs(text)))
    return _KEY.search(text) is not None or any(map(passes_luhn, cards))


def bare(text: str) -> str:
    """Return the letters and digits of a text in lower case, as the checks read them."""
    plain = fold_homoglyphs(text).lower()
    return plain.translate(_ASCII_MARKS) if plain.isascii() else _MARKS.sub("", plain)


def _pieces(text: str) -> list[str]:
    """Return all pieces of a bare text that have the length LEAST_RUN; every run begins with one."""
    return [text[at : at + LEAST_RUN] for at in range(len(text) - LEAST_RUN + 1)]


def _as_it_is(plain: str) -> str:
    return plain


def _backwards(plain: str) -> str:
    return plain[::-1]


def _rotated(plain: str) -> str:
    return codecs.encode(plain, "rot13")


# Each reading is its own inverse: a text read this way contains a run if the text itself contains the run read this
# way.
_READINGS: Final = (_as_it_is, _backwards, _rotated)


def _decoded(text: str) -> Iterator[str]:
    for match in _CODED.finditer(text):
        code = match.group().rstrip("=")
        with suppress(ValueError):  # includes binascii.Error and UnicodeDecodeError
            yield bare(base64.b64decode(code.translate(_URL_SAFE) + "=" * (-len(code) % 4)).decode())
        with suppress(ValueError):
            yield bare(bytes.fromhex(code).decode())


def objection(sentence: str, before: str, evidence: Evidence, confidential: Confidential) -> Code | None:
    """Return why a sentence without markers is withheld; `before` is the text in front of it.

    A figure passes if a passage, a look-up or a message from the customer contains it. A link passes only if a passage
    or a look-up contains it.
    """
    discloses = (
        confidential.may_begin_in if len(sentence) < _PIECE else confidential.is_in
    )  # one word per line would disclose the text in small pieces
    if discloses(before, sentence):
        return "secret"
    if evidence.is_quoted(sentence):  # this compares only words, so "$" instead of "€" still needs the check of figures
        return "figure" if _has_unknown_figure(sentence, before, evidence) else None
    if holds_secret(sentence):
        return "secret"
    if mixes_scripts(sentence):
        return "disguise"
    if not links_in(sentence) <= evidence.links:
        return "link"
    if fenced_part(sentence)[0] and (evidence.support(sentence).score or 0.0) < _LISTED_FROM:
        return "listing"
    if _has_unknown_figure(sentence, before, evidence):
        return "figure"
    return "code" if _has_unknown_code(sentence, evidence) else None


def _has_unknown_code(sentence: str, evidence: Evidence) -> bool:
    """Return whether a sentence contains a code that no evidence contains: an invented voucher costs the shop money or
    the customer's trust. Words in capitals may also be emphasis, if the sources contain them or the whole line is in
    capitals.
    """
    plain = fold_homoglyphs(sentence)
    found = list(_CODE.finditer(plain))
    if not found:
        return False
    is_loud = sum(word.isupper() and word.isalpha() for word in plain.split()) > _MAX_LOUD
    return any(
        not evidence.names(match.group())
        and not units_of(match.group().lstrip("0123456789").lower())  # "50EUR" is a figure
        and not (match.group().isalpha() and (is_loud or _is_label(match, plain) or _is_initialism(match, plain)))
        for match in found
    )


def _is_label(word: re.Match[str], text: str) -> bool:
    """Return whether a word only announces what follows, as in "WARNING: ..."."""
    return not any(map(str.isalnum, text[: word.start()])) and text[word.end() :].lstrip("*_ ").startswith(LEADS)


def _is_initialism(word: re.Match[str], text: str) -> bool:
    """Return whether a word in capitals is made of the first letters of the words before it."""
    return word.group() in "".join(_INITIALS.findall(text[: word.start()])).upper()


def _counts_on(number: int, text: str) -> bool:
    """Return whether a number only continues a numbered list, because the text also contains the number before it."""
    return re.search(rf"(?:^|\s){number - 1}\.\s", text) is not None


def _has_unknown_figure(sentence: str, before: str, evidence: Evidence) -> bool:
    words = without_list_mark(sentence)
    if (number := _NUMBER_AT_END.search(words)) and _counts_on(int(number[1]), f"{unmarked(before)}{sentence}"):
        words = words[: number.start()]  # a list in one line: "1. Drugs 2. Infection 3. Age"
    is_lead = words.rstrip().endswith(LEADS)
    figures = figures_in(words, evidence.language)
    names_today = any(one.kind == "date" and evidence.time.holds(one) for one in figures)
    for figure in figures:
        if evidence.figures.holds(figure) or (names_today and evidence.time.holds(figure)):
            continue
        is_small = all(number.isdigit() and int(number) <= _MAX_LISTED for number in figure.numbers)
        if not (is_lead and figure.kind == "count" and is_small):
            return True
    return False
