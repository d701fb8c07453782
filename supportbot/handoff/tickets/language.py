"""The language a customer writes in, which is not always the page's they came by: it is the one to answer in. Pure."""

from supportbot.language.detection import base_language, detect


def spoken_in(text: str, locale: str) -> str:
    """Return the language of a text; the locale where it is that one already, or where the words do not say."""
    known = base_language(locale)
    found = detect(text, known)
    return found if found != known else locale
