"""Hard checks in any language and at any strictness: no invented figures, codes or links, no secrets. Pure."""

import re
from typing import Final, Literal

from supportbot.assistant.checks.evidence import Evidence
from supportbot.assistant.checks.secrets import Confidential, holds_secret
from supportbot.language.figure_words import units_of
from supportbot.language.figures import figures_in
from supportbot.language.links import links_in
from supportbot.language.normalise import fold_homoglyphs, mixes_scripts
from supportbot.language.sentences import LEADS, fenced_part, unmarked, without_list_mark

Code = Literal["figure", "code", "link", "secret", "disguise", "listing"]
_LISTED_FROM: Final = 0.6  # support of a code listing: nobody should run code that no page has
_NUMBER_AT_END: Final = re.compile(r"\s(\d{1,2})\.$")
_PIECE: Final = 16  # characters
# What a voucher's code looks like: three letters and two digits, or five capitals. What everybody knows is shorter
# (MP3, H2O, NASA) or hyphenated (COVID-19).
_CODE: Final = re.compile(  # in Latin letters, also amid a script without spaces
    r"(?<![A-Za-z0-9_@./-])(?:[A-Za-z]{3,}\d{2,}[A-Za-z0-9]*|\d{2,}[A-Z]{3,}\d*|[A-Z]{5,}\d*)"
    r"(?![A-Za-z0-9_@]|[/.-][A-Za-z0-9])"
)
_INITIALS: Final = re.compile(r"\b\w")
_MAX_LOUD: Final = 2  # words in capitals; more are somebody shouting
_MAX_LISTED: Final = 20  # "These 5 steps:" counts what follows it


def objection(sentence: str, before: str, evidence: Evidence, confidential: Confidential) -> Code | None:
    """Return why a sentence without markers is withheld; `before` is the text in front of it.

    A figure passes if a passage, a look-up or the customer's messages have it; a link only if a passage or look-up has.
    """
    discloses = (
        confidential.may_begin_in if len(sentence) < _PIECE else confidential.is_in
    )  # one word per line discloses it in small pieces
    if discloses(before, sentence):
        return "secret"
    if evidence.is_quoted(sentence):  # compares words only, so "$" instead of "€" still needs the figure check
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
    """Return whether a sentence names a code that nobody has: a made-up voucher costs the shop money or the customer
    trust. Capitals alone may be emphasis: of a word that the sources have too, or of a whole line."""
    plain = fold_homoglyphs(sentence)
    found = list(_CODE.finditer(plain))
    is_loud = sum(word.isupper() and word.isalpha() for word in plain.split()) > _MAX_LOUD
    return any(
        not evidence.names(match.group())
        and not units_of(match.group().lstrip("0123456789").lower())  # "50EUR" is a figure
        and not (match.group().isalpha() and (is_loud or _is_label(match, plain) or _is_initialism(match, plain)))
        for match in found
    )


def _is_label(word: re.Match[str], text: str) -> bool:
    """Return whether a word only announces what follows: "WARNING: ..."."""
    return not any(map(str.isalnum, text[: word.start()])) and text[word.end() :].lstrip("*_ ").startswith(LEADS)


def _is_initialism(word: re.Match[str], text: str) -> bool:
    """Return whether a word in capitals is made of the first letters of the words before it."""
    return word.group() in "".join(_INITIALS.findall(text[: word.start()])).upper()


def _counts_on(number: int, text: str) -> bool:
    """Return whether a text numbers the item before this number."""
    return re.search(rf"(?:^|\s){number - 1}\.\s", text) is not None


def _has_unknown_figure(sentence: str, before: str, evidence: Evidence) -> bool:
    words = without_list_mark(sentence)
    if (number := _NUMBER_AT_END.search(words)) and _counts_on(int(number[1]), f"{unmarked(before)}{sentence}"):
        words = words[: number.start()]  # "1. Drugs 2. Infection 3. Age" runs on in one line
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
