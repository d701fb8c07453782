"""An article's summary, and the section it belongs to."""

from typing import Final

from django.utils.text import Truncator

from kb.models import Article
from supportbot.language.plaintext import plain

DESCRIPTION_CHARACTERS: Final = 155  # what search engines show
_READ: Final = 1_000


def summary(body: str) -> str:
    """Return the beginning of an article's text for search engines and previews of links."""
    return Truncator(" ".join(plain(body[:_READ]).split())).chars(DESCRIPTION_CHARACTERS)


def section_name(article: Article) -> str:
    """Return the heading under which an article is listed."""
    return article.category or article.collection.name
