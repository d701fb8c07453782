"""The texts of the team's scripts in the reader's language.

Scripts name their texts as Python does, by `gettext("…")` and `ngettext("…", "…", n)`. These texts are extracted here
from the served files, so that a page contains exactly the texts its scripts may show.
"""

from functools import cache
from pathlib import Path
from typing import Final

from babel import Locale
from babel.messages.extract import extract_from_file
from django.contrib.staticfiles import finders
from django.utils.translation import gettext, ngettext

from supportbot.team_formats import active_language

KEYWORDS: Final = {"gettext": None, "ngettext": (1, 2)}
MAX_SAMPLE: Final = 1_000  # whole numbers below it show every plural form of a language
Texts = dict[str, str | dict[str, str]]


def texts_of_scripts(folder: str) -> Texts:
    """Return the texts of a folder of scripts by their English originals, those with a plural by CLDR category."""
    samples = _samples(active_language())
    return {
        one: {category: ngettext(one, many, number) for category, number in samples.items()} if many else gettext(one)
        for one, many in _originals(folder)
    }


@cache
def _originals(folder: str) -> tuple[tuple[str, str], ...]:
    """Return the texts in the scripts of a static folder with their plurals, which are empty for most."""
    found = {}
    for script in _scripts_in(folder):
        for _, message, _, _ in extract_from_file("javascript", script, keywords=KEYWORDS):
            one, many = message if isinstance(message, tuple) else (message, "")
            found[one] = many
    return tuple(found.items())


def _scripts_in(folder: str) -> list[Path]:
    place = finders.find(folder)
    return sorted(Path(place).glob("*.js")) if isinstance(place, str) else []


@cache
def _samples(language: str) -> dict[str, int]:
    """Return a whole number for each plural category of a language."""
    category_of = Locale.parse(language).plural_form
    return {category_of(number): number for number in reversed(range(MAX_SAMPLE))}
