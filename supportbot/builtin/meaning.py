"""Which sentences are worth comparing with the question by meaning, and as what text. Pure.

Words alone choose wrongly between sentences that all speak of the subject. An embedding costs some 20 ms, so only the
few best by words are compared, each under its title and heading: alone, "It costs nothing" means everything.
"""

from supportbot.builtin.scoring import rank
from supportbot.builtin.units import Unit, units_of
from supportbot.language.detection import base_language, detect
from supportbot.llm.types import ModelRequest

CANDIDATES = 6


def worth_comparing(request: ModelRequest) -> dict[str, str]:
    """Return the text to embed for each sentence that may answer; empty where nothing is to be quoted."""
    if not request.is_answerable:
        return {}
    units = [unit for source in request.sources for unit in units_of(source)]
    language = detect(request.question, base_language(request.locale))
    best = rank(request.sought, units, language=language, nearness={}, newest=request.question)[:CANDIDATES]
    return {scored.unit.text: _in_its_place(scored.unit) for scored in best}


def _in_its_place(unit: Unit) -> str:
    return "\n".join(part for part in (unit.source.title, unit.heading, unit.text) if part)
