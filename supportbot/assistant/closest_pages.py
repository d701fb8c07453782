"""Extends an abstention with links to the help pages that search found closest to the question.

These pages are about something similar but may not contain the answer, so they are not cited, and the answer remains an
abstention. No pages are offered if the low confidence of search shows that the question is about something else
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
from supportbot.assistant.context import TurnContext
from supportbot.assistant.texts import CLOSEST_PAGES
from supportbot.assistant.turn_search import ON_TOPIC_FROM
from supportbot.builtin.intents import QUESTIONS, classify, detect_intent, wants_person
from supportbot.builtin.phrases import say, says_nothing_was_found, without_offer_of_a_person
from supportbot.chat.answer_html import is_link
from supportbot.chat.answers import Answer, OfferedPage
from supportbot.language.detection import base_language
from supportbot.language.sentences import MARKER
from supportbot.llm.types import ModelRequest
from supportbot.translation import text_in

MAX_PAGES: Final = 3
# Characters that would end a Markdown link's text or address in the chat.
_IN_TITLES: Final = str.maketrans("[]", "()")
_IN_ADDRESSES: Final = {ord(sign): f"%{ord(sign):02X}" for sign in "() "}


def with_closest_pages(answer: Answer, context: TurnContext) -> Answer:
    """Return the answer. If it says that it found nothing although there are pages on the topic, links to the closest
    pages are added.
    """
    if not may_offer_pages(answer, context.request, context.confidence):
        return answer
    return with_pages(answer, closest_pages(context.passages, context.viewer), context.language)


def may_offer_pages(answer: Answer, request: ModelRequest, confidence: float) -> bool:
    """Return whether an answer says that it found nothing although there are pages on the topic.

    No pages are offered to a customer who asked for a person, nor with the refusal of an action. A model may refuse an
    action in its own words, so its abstentions count only if the customer asked a question and requested no action.
    """
    if not answer.is_abstention or confidence < ON_TOPIC_FROM or wants_person(request.question):
        return False
    return says_nothing_was_found(answer.text) or (answer.by == "model" and _only_asks(request))


def _only_asks(request: ModelRequest) -> bool:
    """Return whether the customer asks a question and wants no action carried out."""
    tools = (*request.tools, *request.tools_signed_in)
    return classify(request.question).kind in QUESTIONS and not detect_intent(request.question, tools).action


def closest_pages(passages: Sequence[Passage], viewer: Viewer) -> tuple[OfferedPage, ...]:
    """Return the pages of those passages that the viewer may read now, best first. An article and its translations
    count as one page, in the viewer's language if possible. An article with neither an address of its own nor a help
    page is left out.
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
        # An article that stopped being readable between the two queries has no page.
        in_order = sorted(versions[source], key=lambda one: (not _is_in(viewer, one), one.pk != key))
        if shown := [page for one in in_order if (page := _page(one)) is not None]:
            pages[source] = shown[0]
    return tuple(pages.values())[:MAX_PAGES]


def with_pages(answer: Answer, pages: tuple[OfferedPage, ...], language: str) -> Answer:
    """Return the answer with links to the pages and, at the end, an offer to hand over to a person. Without pages, it
    is unchanged.
    """
    if not pages:
        return answer
    lead = text_in(language, CLOSEST_PAGES)
    links = "\n".join(_link(page) for page in pages)
    text = "\n\n".join([f"{without_offer_of_a_person(answer.text)} {lead}", links, say("offer", language)])
    return replace(answer, text=text, pages=pages, offers_human=True)


def _link(page: OfferedPage) -> str:
    """Return a Markdown link. A word joiner keeps a title such as "10" from being read as the number of a source."""
    joiner = "\u2060" if MARKER.fullmatch(f"[{page.title}]") else ""
    return f"- [{page.title}{joiner}]({page.url})"


def _is_in(viewer: Viewer, article: Article) -> bool:
    return base_language(article.locale) == base_language(viewer.locale or "")


def _page(article: Article) -> OfferedPage | None:
    """Return an article as a page to offer; None if it has no address that the chat shows as a link."""
    address = article_address(article)
    url = (f"{settings.BASE_URL}{address}" if address.startswith("/") else address).translate(_IN_ADDRESSES)
    if article.live_revision is None or not is_link(url):
        return None
    title = " ".join(article.live_revision.title.translate(_IN_TITLES).split())
    return OfferedPage(article.pk, article.external_id, title, url)
