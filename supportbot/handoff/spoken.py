"""The language a customer writes in, which is not always the page's they came by: it is the one to answer in. Pure."""

from typing import Final

from supportbot.llm.extractive.language import base_language, detect

_TOLD_APART: Final = ("", "en", "de")  # "": a page that names no language


def spoken_in(text: str, locale: str) -> str:
    """Return the language of a text; the locale where it is that one already, or where the words do not say.

    Only English and German are told apart: of a page in a third language, "he" or an "ö" says nothing.
    """
    known = base_language(locale)
    found = detect(text, known)
    return found if known in _TOLD_APART and found != known else locale
