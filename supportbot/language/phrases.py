"""What a room says in its own words: one JSON file a language, each with the same keys. Pure.

`{name}` stands for a value. English is said where a language has no file.
"""

import json
from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from typing import Final

FALLBACK: Final = "en"


class Phrases:
    """The files `data/<name>.<language>.json` of a package, read when the first phrase is needed."""

    def __init__(self, package: str, name: str) -> None:
        self._folder = files(package) / "data"
        self._name = name

    @cached_property
    def by_language(self) -> Mapping[str, Mapping[str, str]]:
        """The phrases of each language by their keys."""
        prefix, suffix = f"{self._name}.", ".json"
        return {
            entry.name.removeprefix(prefix).removesuffix(suffix): json.loads(entry.read_text(encoding="utf-8"))
            for entry in self._folder.iterdir()
            if entry.name.startswith(prefix) and entry.name.endswith(suffix)
        }

    def say(self, key: str, language: str, /, **values: str) -> str:
        """Return a phrase in the language, in English where there is no other."""
        texts = self.by_language.get(language, self.by_language[FALLBACK])
        return texts[key].format(**values) if values else texts[key]

    def in_all(self, key: str) -> frozenset[str]:
        """Return a phrase in every language."""
        return frozenset(texts[key] for texts in self.by_language.values())
