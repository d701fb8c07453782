"""Hard checks in any language and at any strictness: no invented figures or links, no secrets. Pure."""

import re
from typing import Final, Literal

from supportbot.assistant.checks.evidence import Evidence
from supportbot.assistant.checks.secrets import Confidential, holds_secret
from supportbot.language.figures import figures_in
from supportbot.language.links import links_in
from supportbot.language.normalise import mixes_scripts
from supportbot.language.sentences import LEADS, fenced_part, without_list_mark

Code = Literal["figure", "link", "secret", "disguise", "listing"]
_LISTED_FROM: Final = 0.6  # support of a code listing: nobody should run code that no page has
_NUMBER_AT_END: Final = re.compile(r"\s(\d{1,2})\.$")
_PIECE: Final = 16  # characters
_MOST_LISTED: Final = 20  # "These 5 steps:" counts what follows it


def objection(sentence: str, before: str, evidence: Evidence, confidential: Confidential) -> Code | None:
    """Return why a sentence without markers is withheld; `before` is the text in front of it.

    A figure passes if a passage, a look-up or the customer's messages have it; a link only if a passage or look-up has.
    """
    discloses = (
        confidential.may_begin_in if len(sentence) < _PIECE else confidential.is_in
    )  # one word per line discloses it in small pieces
    if discloses(before + sentence):
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
    return "figure" if _has_unknown_figure(sentence, before, evidence) else None


def _has_unknown_figure(sentence: str, before: str, evidence: Evidence) -> bool:
    words = without_list_mark(sentence)
    if (number := _NUMBER_AT_END.search(words)) and re.search(rf"(?:^|\s){int(number[1]) - 1}\.\s", before + sentence):
        words = words[: number.start()]  # "1. Drugs 2. Infection 3. Age" runs on in one line
    is_lead = words.rstrip().endswith(LEADS)
    for figure in figures_in(words):
        if evidence.figures.holds(figure):
            continue
        is_small = all(number.isdigit() and int(number) <= _MOST_LISTED for number in figure.numbers)
        if not (is_lead and figure.kind == "count" and is_small):
            return True
    return False
