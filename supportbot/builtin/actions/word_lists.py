"""The short lists of words in `data/words.json`, by meaning, for all languages."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from supportbot.builtin.intents import DATA


@cache
def word_lists() -> Mapping[str, Any]:
    """Return the lists by name; read once per process."""
    found: Mapping[str, Any] = json.loads((DATA / "words.json").read_text(encoding="utf-8"))
    return found
