"""How much of the best passage to quote: one to three sentences, a whole short list, single rows. Pure."""

import re
from collections.abc import Sequence

from supportbot.builtin.scoring import Scored, is_about_the_page
from supportbot.builtin.units import Unit
from supportbot.llm.extractive.wordlists import word_set
from supportbot.llm.extractive.words import words

SENTENCES_MOST = 3
LIST_MOST = 8
LIST_CHARACTERS_MOST = 700
# A further sentence must answer nearly as well as the best; one right beside it may a little less so. Measured on
# questions whose answering sentences are known (bench/quotes.py): looser, what is added is mostly about something else.
FURTHER_SHARE = 0.88
NEIGHBOUR_SHARE = 0.7
NEIGHBOURS = (-1, 1, 2)
_CHANGE_NOTHING = word_set(
    "a an the this that our your we you it is are and also always just so der die das den dem ein eine "
    "unser unsere ihr ihre wir sie es ist sind und auch immer"
)
_ANNOUNCES = re.compile(
    r"^(?:here (?:is|are)|these are|this table|the table|hier (?:ist|sind|finden|sehen)|das sind|die tabelle)\b"
    r"|\b(?:as follows|the following|below|folgende[nrs]?|wie folgt|unten)\b",
    re.IGNORECASE,
)


def choose(ranked: Sequence[Scored], units: Sequence[Unit]) -> list[Unit]:
    """Return the units to quote: the paragraph of the best one in reading order, then what else answers."""
    if not ranked:
        return []
    ranked = [entry for entry in ranked if not is_about_the_page(entry.unit.text)] or ranked
    best = next((entry for entry in ranked if not _leads_nowhere(entry.unit, units)), ranked[0])
    if best.unit.is_listed or _introduces_list(best.unit, units):
        listed = _list_around(best.unit, units)
        if listed:
            return listed
    table = _announced_table(best.unit, units)
    if table:
        return [best.unit, *table]
    chosen = [best.unit]
    # What stands right beside the best comes first: a rule and its sequel are read together.
    for entry in sorted(ranked, key=lambda entry: not _is_beside(entry.unit, best.unit)):
        if len(chosen) == SENTENCES_MOST:
            break
        share = _needed(entry.unit, best.unit)
        is_good = entry.match >= best.match * share and entry.score >= best.score * share
        if is_good and _adds_something(entry.unit, chosen):
            chosen.append(entry.unit)
    chosen += _headers_of(chosen, units)
    return sorted(chosen, key=lambda unit: _place(unit, best.unit))


def _place(unit: Unit, best: Unit) -> tuple[bool, bool, int, int]:
    is_elsewhere = unit.source is not best.source
    return is_elsewhere, is_elsewhere or unit.block != best.block, unit.source.number, unit.position


def _needed(unit: Unit, best: Unit) -> float:
    return NEIGHBOUR_SHARE if _is_beside(unit, best) else FURTHER_SHARE


def _is_beside(unit: Unit, best: Unit) -> bool:
    return unit.source is best.source and unit.block == best.block and unit.position - best.position in NEIGHBOURS


def _adds_something(unit: Unit, chosen: Sequence[Unit]) -> bool:
    """A list's lead without its list says nothing, nor does one step; two pages may say a thing in the same words."""
    is_answer = unit.kind not in ("header", "step") and not unit.text.endswith((":", "?"))
    return is_answer and not any(_says_the_same(unit, other) for other in chosen)


def _says_the_same(unit: Unit, other: Unit) -> bool:
    """Return whether two texts differ in words that change nothing; a country, a figure or a "not" does."""
    return set(words(unit.text)) ^ set(words(other.text)) <= _CHANGE_NOTHING


def _headers_of(chosen: Sequence[Unit], units: Sequence[Unit]) -> list[Unit]:
    """Return the heads of the tables that rows were chosen from: a row without its columns' names is a riddle."""
    tables = {(unit.source.number, unit.block) for unit in chosen if unit.kind == "row"}
    return [unit for unit in units if unit.kind == "header" and (unit.source.number, unit.block) in tables]


def _introduces_list(unit: Unit, units: Sequence[Unit]) -> bool:
    following = _at(units, unit, unit.position + 1)
    return unit.kind == "sentence" and unit.text.endswith(":") and following is not None and following.is_listed


def _announced_table(unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """Return the short table that a sentence announces ("Here are the last days ..."): alone it answers nothing."""
    following = _at(units, unit, unit.position + 1)
    if following is None or following.kind not in ("header", "row") or not _ANNOUNCES.search(unit.text):
        return []
    rows = [other for other in units if other.source is unit.source and other.block == following.block]
    is_short = len(rows) <= LIST_MOST and sum(len(row.text) for row in rows) <= LIST_CHARACTERS_MOST
    return rows if is_short else []


def _leads_nowhere(unit: Unit, units: Sequence[Unit]) -> bool:
    """Return whether the unit is the lead of a list that was cut off, or stands before a picture."""
    return unit.text.endswith(":") and not _introduces_list(unit, units)


def _list_around(unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """Return the whole list with the line that leads to it; of one too long to quote, only the item itself."""
    inside = unit if unit.is_listed else _at(units, unit, unit.position + 1)
    if inside is None:
        return []
    items = [other for other in units if other.source is inside.source and other.block == inside.block]
    is_steps = inside.kind == "step" or not unit.is_listed
    if not is_steps and len(unit.text.split()) > 8:
        items = [inside]  # an item that is a sentence of its own answers alone
    if len(items) > LIST_MOST or sum(len(item.text) for item in items) > LIST_CHARACTERS_MOST:
        items = [inside]
    lead = _at(units, items[0], items[0].position - 1)
    leads = lead is not None and lead.text.endswith(":") and lead.heading == items[0].heading
    return [lead, *items] if lead is not None and leads else items


def _at(units: Sequence[Unit], near: Unit, position: int) -> Unit | None:
    return next((unit for unit in units if unit.source is near.source and unit.position == position), None)
