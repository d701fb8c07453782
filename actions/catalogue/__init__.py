"""One file per action, which defines the action as ACTION. The JSON file next to it contains the action's description
and examples of what customers write, by language.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path


def texts_of(name: str) -> tuple[Mapping[str, str], Mapping[str, Sequence[str]]]:
    """Return the description and the examples of an action, both by language."""
    texts = json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    return texts["description"], {language: tuple(examples) for language, examples in texts["examples"].items()}
