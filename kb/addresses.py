"""Where an article is read on the web."""

import re
from urllib.parse import quote, urlencode

from kb.models import Article, Audience

# Ids that a browser would fold or cut when they stand in a path; such articles are addressed by their own id.
_AWKWARD = re.compile(r"(^|/)\.{0,2}(/|$)|[\\%]")


def help_path(article: Article) -> str:
    """Return the path of the article's help page here. Needs `article.workspace` loaded to cost no query."""
    external_id = article.external_id
    name = str(article.pk) if _AWKWARD.search(external_id) else quote(external_id, safe="/")
    return f"/help/{article.workspace.slug}/{name}/"


def article_address(article: Article) -> str:
    """Return the article's own address if it has one, else its help page; "" where it has none: those are for all."""
    if article.url or article.audience != Audience.PUBLIC:
        return article.url
    return help_path(article)


def passage_address(address: str, revision: int, start: int, end: int) -> str:
    """Return `address` so that it opens at the passage; only our own help pages can mark one."""
    if not address.startswith("/help/"):
        return address
    query = urlencode({"r": revision, "start": start, "end": end})
    return f"{address}?{query}#passage"
