"""Adds the help pages that search found closest to an abstention, as links in its text.

They are about something similar but may not contain the answer, so they are not cited, and the answer remains an
abstention. No pages are offered if the confidence of search shows that the question is about something else
(docs/decisions/abstention.md has the figures).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db.models import Q

from kb.access import Viewer, readable
from kb.article_urls import article_address
from kb.models import Article
from kb.search import Passage
from supportbot.assistant.texts import CLOSEST_PAGES
from supportbot.assistant.turn_search import ON_TOPIC_FROM
from supportbot.builtin.phrases import is_offer_of_a_person, say, without_offer_of_a_person
from supportbot.chat.answer_html import is_link
from supportbot.chat.answers import Answer, OfferedPage
from supportbot.language.detection import base_language
from supportbot.translation import text_in

MAX_PAGES: Final = 3
# Characters that would end a Markdown link's text or address in the chat.
_IN_TITLES: Final = str.maketrans("[]", "()")
_IN_ADDRESSES: Final = {ord(sign): f"%{ord(sign):02X}" for sign in "() "}


def may_offer_pages(answer: Answer, confidence: float) -> bool:
    """Return whether an answer says that it found nothing, about a matter on which there are pages.

    The built-in answerer abstains in other ways, too: a customer who asked for a person wants no pages.
    """
    is_unknown = answer.is_abstention and (answer.by == "model" or is_offer_of_a_person(answer.text))
    return is_unknown and confidence >= ON_TOPIC_FROM


def closest_pages(passages: Sequence[Passage], viewer: Viewer) -> tuple[OfferedPage, ...]:
    """Return the pages of the passages that the viewer may read now, best first: one per article and its translations,
    in the viewer's language if there is one. An article without an address of its own or a help page is left out.
    """
    found = dict.fromkeys(passage.article_id for passage in passages)
    if not found:
        return ()
    articles = readable(viewer)
    sources = {
        key: source or key for key, source in articles.filter(pk__in=found).values_list("id", "translation_of_id")
    }
    wanted = set(sources.values())
    rows = articles.filter(Q(pk__in=wanted) | Q(translation_of__in=wanted)).select_related("workspace", "live_revision")
    versions = defaultdict[UUID, list[Article]](list)
    for article in rows.defer("live_revision__body").order_by("external_id"):
        versions[article.translation_of_id or article.pk].append(article)
    pages: dict[UUID, OfferedPage] = {}
    for key in found:
        source = sources.get(key)
        if source is None or source in pages:
            continue
        shown = min(versions[source], key=lambda one: (not _is_in(viewer, one), one.pk != key))
        if (page := _page(shown)) is not None:
            pages[source] = page
    return tuple(pages.values())[:MAX_PAGES]


def with_pages(answer: Answer, pages: tuple[OfferedPage, ...], language: str) -> Answer:
    """Return the answer with links to the pages before its offer of a person; unchanged if there are none."""
    if not pages:
        return answer
    lead = text_in(language, CLOSEST_PAGES)
    links = "\n".join(f"- [{page.title}]({page.url})" for page in pages)
    offer = [say("offer", language)] if is_offer_of_a_person(answer.text) else []
    text = "\n\n".join([f"{without_offer_of_a_person(answer.text)} {lead}", links, *offer])
    return replace(answer, text=text, pages=pages)


def _is_in(viewer: Viewer, article: Article) -> bool:
    return base_language(article.locale) == base_language(viewer.locale or "")


def _page(article: Article) -> OfferedPage | None:
    """Return an article as a page to offer; None without an address that the chat shows as a link."""
    address = article_address(article)
    url = (f"{settings.BASE_URL}{address}" if address.startswith("/") else address).translate(_IN_ADDRESSES)
    if article.live_revision is None or not is_link(url):
        return None
    title = " ".join(article.live_revision.title.translate(_IN_TITLES).split())
    return OfferedPage(article.pk, article.external_id, title, url)
