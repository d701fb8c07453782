"""What a room says in its own words: one JSON file a language, each with the same keys. Pure.

`{name}` stands for a value. English is said where a language has no file.
"""

import json
import re
from collections.abc import Mapping
from functools import cache, cached_property
from importlib.resources import files
from typing import Final

FALLBACK: Final = "en"
_VALUE_MOST: Final = 300


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
        text = self._texts(language)[key]
        return text.format(**values) if values else text

    def named(self, key: str, language: str) -> str:
        """Return a phrase that may be missing, "" if it is."""
        return self._texts(language).get(key, "")

    def in_all(self, key: str) -> frozenset[str]:
        """Return a phrase in every language."""
        return frozenset(texts[key] for texts in self.by_language.values())

    def patterns(self, key: str) -> tuple[re.Pattern[str], ...]:
        """Return what a phrase looks like in any language, whatever its values are."""
        return tuple(map(pattern_of, self.in_all(key)))

    def _texts(self, language: str) -> Mapping[str, str]:
        return self.by_language.get(language, self.by_language[FALLBACK])


@cache
def pattern_of(text: str) -> re.Pattern[str]:
    """Return what a phrase's text looks like once its values stand in it."""
    return re.compile(re.sub(r"\\\{\w+\\\}", rf"[^\\n]{{1,{_VALUE_MOST}}}?", re.escape(text)))
