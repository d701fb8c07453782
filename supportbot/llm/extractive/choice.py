"""How much of the best passage to quote: one to three sentences, a whole short list, single rows. Pure."""

from collections.abc import Sequence

from supportbot.llm.extractive.scoring import Scored
from supportbot.llm.extractive.units import Unit

SENTENCES_MOST = 3
LIST_MOST = 8
LIST_CHARACTERS_MOST = 700
# A further sentence must be nearly as good as the best; one right after it may be a little less so.
FURTHER_SHARE = 0.8
NEIGHBOUR_SHARE = 0.55


def choose(ranked: Sequence[Scored], units: Sequence[Unit]) -> list[Unit]:
    """Return the units to quote, in reading order, those of the best source first."""
    if not ranked:
        return []
    best = ranked[0]
    if best.unit.is_listed or _introduces_list(best.unit, units):
        listed = _list_around(best.unit, units)
        if listed:
            return listed
    chosen = [best.unit]
    for entry in ranked[1:]:
        if len(chosen) == SENTENCES_MOST:
            break
        if entry.score >= best.score * _needed(entry.unit, best.unit) and _adds_something(entry.unit, chosen):
            chosen.append(entry.unit)
    return sorted(chosen, key=lambda unit: (unit.source is not best.unit.source, unit.source.number, unit.position))


def _needed(unit: Unit, best: Unit) -> float:
    is_next = unit.source is best.source and unit.block == best.block and unit.position - best.position in (1, 2)
    return NEIGHBOUR_SHARE if is_next else FURTHER_SHARE


def _adds_something(unit: Unit, chosen: Sequence[Unit]) -> bool:
    """A list's lead without its list says nothing, and overlapping passages hold the same sentence twice."""
    return not unit.text.endswith((":", "?")) and all(unit.text != other.text for other in chosen)


def _introduces_list(unit: Unit, units: Sequence[Unit]) -> bool:
    following = _at(units, unit, unit.position + 1)
    return unit.kind == "sentence" and unit.text.endswith(":") and following is not None and following.is_listed


def _list_around(unit: Unit, units: Sequence[Unit]) -> list[Unit]:
    """Return the whole list with the line that leads to it; of a list too long to quote, nothing but the item itself."""
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
