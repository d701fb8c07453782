"""Questions in a language without articles. Pure. The vectors of all questions have a large part in common. Across
languages, cosines differ so little that this part dominates: the few passages near to it are found for every question.
Without most of it, the right article comes first more often (docs/decisions/fusion-of-rankings.md has the figures).
Within one language, full text corrects this, and the vector is left unchanged.
"""

import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from supportbot.language.detection import base_language

_CENTRES: Final = Path(__file__).parent / "centres"  # a recipe's mean question vector, from scripts/fit_centre.py
READ_ABROAD: Final = "en"  # preferred if no article is in the customer's language
_SHARE: Final = 0.75  # results hardly differ from 0.5 to 0.9


def is_foreign(asked: str | None, locales: Sequence[str]) -> bool:
    """Return whether no article is in the question's language; an unknown language counts as the same."""
    languages = {base_language(locale) for locale in locales}
    return bool(asked and languages) and base_language(asked or "") not in languages and "" not in languages


def without_common_part(vector: Sequence[float], recipe_name: str) -> Sequence[float]:
    """Return a question's vector without most of what all questions have in common; unchanged if no centre is known."""
    centre = _centre(recipe_name)
    if not centre:
        return vector
    length = math.hypot(*vector) or 1.0
    return [value / length - _SHARE * common for value, common in zip(vector, centre, strict=True)]


@cache
def _centre(recipe_name: str) -> Sequence[float]:
    path = _CENTRES / f"{recipe_name}.json"
    return tuple(json.loads(path.read_text())) if path.exists() else ()
