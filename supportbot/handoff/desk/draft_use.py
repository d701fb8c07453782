"""How much of a draft is in what an agent sent: as it was, edited or replaced. Pure; no model and no vectors.

The thresholds were chosen on `tests/handoff/desk/draft_cases.jsonl`, which holds both sides of each.
"""

from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

from supportbot.language.figures import all_figures_in
from supportbot.language.words import words

LEAST_RUN: Final = 2  # words in a row; any two texts of a language share single ones
REPLACED_BELOW: Final = 0.5  # share of the draft's words that was kept
MUCH: Final = 0.25  # a draft was corrected if so much of it is gone, and so much of what was sent is new


@dataclass(frozen=True, slots=True)
class Use:
    """What became of a draft. `kept` is the share of its words in what was sent, from 0 to 1.

    A correction says something else; a shorter draft, or one with a greeting, is none.
    """

    sent: str  # a value of `OfferedDraft.Sent`
    kept: float
    is_correction: bool


def use_of(draft: str, sent: str, *, language: str) -> Use:
    """Return what became of a draft when `sent` was sent."""
    offered, written = words(draft), words(sent)
    if offered == written:
        return Use("as_is", 1.0, is_correction=False)
    blocks = SequenceMatcher(None, offered, written, autojunk=False).get_matching_blocks()
    shared = sum(block.size for block in blocks if block.size >= LEAST_RUN)
    kept, new = shared / max(1, len(offered)), 1 - shared / max(1, len(written))
    if kept < REPLACED_BELOW:
        return Use("replaced", kept, is_correction=True)
    before, after = _figures(draft, language), _figures(sent, language)
    has_other_figure = bool(before - after) and bool(after - before)
    return Use("edited", kept, is_correction=has_other_figure or (1 - kept >= MUCH and new >= MUCH))


def _figures(text: str, language: str) -> set[frozenset[tuple[str, str]]]:
    found = all_figures_in(text, language)
    return {frozenset((str(unit), str(value)) for unit, value in one.readings) for one in found}
