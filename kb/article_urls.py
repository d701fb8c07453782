"""The web addresses of articles and passages."""

import re
from urllib.parse import quote, urlencode

from kb.models import Article, Audience

# External ids that a browser would change inside a path; the addresses of such articles contain the row's id instead.
_UNSAFE_IN_PATH = re.compile(r"(^|/)\.{0,2}(/|$)|[\\%]")


def help_path(article: Article) -> str:
    """Return the path of the article's help page. Load `article.workspace` first to avoid a query."""
    external_id = article.slug or article.external_id
    name = str(article.pk) if _UNSAFE_IN_PATH.search(external_id) else quote(external_id, safe="/")
    return f"/help/{article.workspace.slug}/{name}/"


def article_address(article: Article) -> str:
    """Return the article's own address or, if it has none, that of its help page; "" if it has neither."""
    if article.url or article.audience != Audience.PUBLIC or not article.on_help_pages:
        return article.url
    return help_path(article)


def passage_address(address: str, revision: int, start: int, end: int) -> str:
    """Return `address` extended so that the page opens at the passage; only our own help pages can highlight it."""
    if not address.startswith("/help/"):
        return address
    query = urlencode({"r": revision, "start": start, "end": end})
    return f"{address}?{query}#passage"
