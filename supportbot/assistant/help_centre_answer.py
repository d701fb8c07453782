"""The assistant's answer above the search results on the help pages. It is loaded after the results.

Anyone can read it, so it uses only public articles. It is shown only if it cites an article, because the results below
are better than an answer without a source.
"""

import re
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import override
from django.views.decorators.http import require_safe

from kb.access import Surface, Viewer
from kb.rendering import render_markdown
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.assistant.single_answer import answer_once
from supportbot.assistant.turn_search import seek
from supportbot.chat.answers import Answer, CitedSpan
from supportbot.errors import SupportBotError
from supportbot.language.detection import base_language, detect
from supportbot.language.normalise import normalised
from supportbot.rate_counters import FailOpenThrottle
from supportbot.releases.selectors import current
from supportbot.translation import language_of

MAX_CHARACTERS: Final = 300  # the same limit as for the search box
_TAG: Final = re.compile(r"(<[^>]*>)")
_MARK: Final = re.compile(r"\s?\[(\d{1,2})\]")


class AnswerThrottle(FailOpenThrottle):
    """Limits the answers per IP address. Answers may cost money, so fewer are allowed than searches."""

    scope = "help_answer"
    rate = "10/min"

    def get_cache_key(self, request: HttpRequest, view: None = None) -> str:  # type: ignore[override]  # a plain page
        return self.cache_format % {"scope": self.scope, "ident": self.get_ident(request)}  # type: ignore[arg-type]


@require_safe
def help_answer(request: HttpRequest, workspace: str) -> HttpResponse:
    """Return the answer as an HTML fragment; 204 if there is no answer, 429 if this IP address asks too often."""
    found = get_object_or_404(Workspace, slug=workspace)
    question = normalised(request.GET.get("q", "").replace("\x00", ""))[:MAX_CHARACTERS]
    if not question:
        return HttpResponse(status=204)
    if not AnswerThrottle().allow_request(request, None):  # type: ignore[arg-type]  # reads META only
        return HttpResponse(status=429)
    with workspace_scope(found.pk):
        language = detect(question, base_language(request.GET.get("lang", "") or found.locale))
        answer = _answer(question, found, language)
        if answer is None:
            return HttpResponse(status=204)
        context = {"text": _with_links(answer), "sources": _sources(answer), "language": language}
        with override(language_of(request.GET.get("lang", "") or language)):
            response = render(request, "kb/answer.html", context)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex"
    return response


def _answer(question: str, workspace: Workspace, language: str) -> Answer | None:
    retrieved = seek(question, Viewer(locale=language, surface=Surface.HELP_ANSWER), limit=current().document.passages)
    if not (retrieved.retrieval.is_answerable or retrieved.retrieval.curated):
        return None
    try:
        answer = answer_once(question, workspace=workspace, language=language, retrieved=retrieved)
    except SupportBotError:  # the budget is used up or there is no model, so the results are shown without an answer
        return None
    return answer if answer.citations and not answer.is_abstention else None


def _with_links(answer: Answer) -> SafeString:
    """Return the answer as HTML, with each [n] linked to the passage it cites."""

    def link(mark: "re.Match[str]") -> str:
        number = int(mark.group(1))
        if not 0 < number <= len(answer.citations):
            return mark.group()
        source = answer.citations[number - 1]
        return format_html(' <a class="cite" href="{}" title="{}">{}</a>', source.url, source.title, number)

    parts = _TAG.split(render_markdown(answer.text))
    # The renderer sanitises the text, and the links that replace the text's markers are escaped.
    return mark_safe("".join(part if part.startswith("<") else _MARK.sub(link, part) for part in parts))


def _sources(answer: Answer) -> list[tuple[int, CitedSpan]]:
    """Return the first citation of each article, each with its number."""
    first: dict[object, tuple[int, CitedSpan]] = {}
    for number, span in enumerate(answer.citations, start=1):
        first.setdefault(span.article_id, (number, span))
    return list(first.values())


urls = [path("help/<slug:workspace>/answer", help_answer, name="help-answer")]
