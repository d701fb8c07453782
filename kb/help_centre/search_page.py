"""The page of search results in the help centre: how many searches are allowed, and which articles it shows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from django.http import HttpRequest, HttpResponse
from django.utils.text import Truncator

from kb.article_urls import passage_address
from kb.help_centre.page_frame import PUBLIC, Place, own_name, show
from kb.search import Passage, search
from supportbot.language.detection import base_language
from supportbot.language.plain_text import plain
from supportbot.rate_counters import FailOpenThrottle

MAX_QUERY_CHARACTERS = 300
MAX_PASSAGES = 24
# The share of the best score below which a passage is left out if there is an answer and the question has only one
# part. The answer to another part of a long question may be further down. On the demo's 190 questions, the lists become
# half as long and lose none of 199 right articles; the lists for 271 questions about sentences in files lose none
# either.
LEAST_SHARE = 0.2
MAX_HITS = 10


class HelpSearchThrottle(FailOpenThrottle):
    scope = "help_search"
    rate = "30/min"

    def get_cache_key(self, request: HttpRequest, view: None = None) -> str:  # type: ignore[override]  # a plain page
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}  # type: ignore[arg-type]

    def seconds_to_wait(self, request: HttpRequest) -> int:
        """Count a search; return 0 if it may run, otherwise the seconds until the next one may."""
        if self.allow_request(request, None):  # type: ignore[arg-type]  # reads META only, as get_ident does
            return 0
        return max(1, round(self.wait() or 1))


@dataclass(frozen=True, slots=True)
class Hit:
    """An article in the results, shown by its best passage."""

    title: str
    heading: str
    text: str
    href: str
    language: str

    @property
    def language_name(self) -> str:
        return own_name(self.language)


def search_page(request: HttpRequest, place: Place, query: str) -> HttpResponse:
    """Show the articles that a search finds, or how long to wait after too many searches."""
    wait_seconds = HelpSearchThrottle().seconds_to_wait(request)
    if wait_seconds:
        context = {"query": query, "seconds": wait_seconds}
        answer = show(request, place, "kb/too_many.html", context, status=429)
        answer.headers["Retry-After"] = str(wait_seconds)
        return answer
    found = search(query, viewer=replace(PUBLIC, locale=place.language), limit=MAX_PASSAGES)
    shown = _near_the_best(found.passages) if found.is_answerable and found.parts == 1 else found.passages
    context = {"query": query, "hits": _hits(shown), "is_sure": found.is_answerable}
    return show(request, place, "kb/search.html", context)


def _near_the_best(passages: Sequence[Passage]) -> list[Passage]:
    return [passage for passage in passages if passage.score >= LEAST_SHARE * passages[0].score]


def _hits(passages: Iterable[Passage]) -> list[Hit]:
    best: dict[object, Hit] = {}
    for passage in passages:
        href = passage_address(passage.url, passage.revision, passage.start, passage.end)
        text = Truncator(" ".join(plain(passage.text).split())).chars(220)
        best.setdefault(
            passage.article_id, Hit(passage.title, passage.heading, text, href, base_language(passage.locale))
        )
    return list(best.values())[:MAX_HITS]
