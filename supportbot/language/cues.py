"""The words by which a question shows what it leans on, per language (`data/cues.*.json`). Pure.

`joining` begins a follow-up, `pointing` stands for what was named before (`pointing_at_end` only as the last word),
`asking` and `lone` begin a question that may have left out what it is about, `places` put one thing in another's place
(`destinations` in each other's), `clause` shows a whole sentence (where its subject is
left out, by the verb), `vague` names any thing of a shop at all.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Final

from supportbot.language.words import languages_with_stop_words, stem, stop_words, words

_DATA: Final = files("supportbot.language") / "data"


@cache
def cues() -> dict[str, dict[str, list[str]]]:
    """Return the cues by language and kind."""
    return {
        entry.name.split(".")[1]: json.loads(entry.read_text(encoding="utf-8"))
        for entry in _DATA.iterdir()
        if entry.name.startswith("cues.")
    }


@cache
def listed(kind: str) -> frozenset[str]:
    """Return the cues of a kind in all languages: a follow-up is too short to tell its own."""
    return frozenset(word for kinds in cues().values() for word in kinds[kind])


@cache
def vague_stems(language: str) -> frozenset[str]:
    """Return the stems of the words that name any thing at all, in one language."""
    return frozenset(stem(word, language) for word in cues().get(language, {}).get("vague", ()))


@cache
def silent_words() -> frozenset[str]:
    """Return the words that never tell what a question is about."""
    told = (kinds[kind] for kinds in cues().values() for kind in kinds if kind != "vague")
    spoken = cues().keys() & languages_with_stop_words()
    return frozenset(word for entries in told for entry in entries for word in words(entry)).union(
        *map(stop_words, spoken)
    )
