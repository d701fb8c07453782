"""Ask as customer: its page, and the answer that the editor shows next to the text."""

from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from kb.models import Audience
from kb.selectors import article_with_id
from kb.services import Change
from kb.validation import check_article_text
from supportbot.accounts.models import Workspace
from supportbot.chat.services import clean_text
from supportbot.console.display import error_text
from supportbot.console.request_context import needs, person_of
from supportbot.errors import InvalidInput, SupportBotError
from supportbot.evals.articles.answer_preview import AnswerPreview, Text, preview_answer, preview_answer_with
from supportbot.language.normalise import normalised
from supportbot.rate_counters import count

MAX_PER_MINUTE: Final = 30
ASKERS: Final = ((Audience.PUBLIC, _("A visitor")), (Audience.SIGNED_IN, _("A signed-in customer")))


def ask_page(request: HttpRequest) -> HttpResponse:
    """Show the page and answer a question. The editor's script requests only the answer."""
    person = needs(request, "kb:read")
    question = normalised(request.POST.get("question", "") or request.GET.get("q", ""))
    context: dict[str, Any] = {"question": question, "askers": ASKERS, "asker": _asker(request)}
    status = 200
    if request.method == "POST":
        try:
            context |= _asked(request, question, Workspace.objects.get(pk=person.workspace_id))
        except SupportBotError as refusal:
            context["problem"], status = error_text(refusal), refusal.status
    if request.headers.get("X-Fragment"):
        return render(request, "console/articles/asked.html", context, status=status)
    page = {**admin.site.each_context(request), "title": gettext("Ask as customer"), **context}
    return render(request, "console/articles/ask.html", page, status=status)


def _asked(request: HttpRequest, question: str, workspace: Workspace) -> dict[str, Any]:
    if not question:
        raise InvalidInput(gettext("Enter a question first."))
    clean_text(question)  # refuses what the chat refuses, such as 15,000 characters
    if count(f"preview:{person_of(request).pk}", seconds=60) > MAX_PER_MINUTE:
        raise InvalidInput(gettext("Too many questions in a minute. Wait a moment and try again."))
    audience = _asker(request)
    answers: list[AnswerPreview] = [preview_answer(question, workspace=workspace, audience=audience)]
    text = _text(request)
    if text is not None:
        answers.append(preview_answer_with(text, question, workspace=workspace, audience=audience))
    return {"answers": answers, "text": text, "last": answers[-1]}


def _asker(request: HttpRequest) -> str:
    asker = request.POST.get("asker", "")
    return asker if asker in dict(ASKERS) else str(Audience.PUBLIC)


def _text(request: HttpRequest) -> Text | None:
    """Return the editor's text if the question came from the editor and there is text."""
    if "body" not in request.POST or not request.POST["body"].strip():
        return None
    title = request.POST.get("title", "") or gettext("Untitled")
    wording = check_article_text(title, request.POST["body"])
    change = Change(
        title=wording.title,
        body=wording.body,
        locale=request.POST.get("locale") or None,
        audience=request.POST.get("audience") or None,
    )
    return Text(_article_id(request), change, wording)


def _article_id(request: HttpRequest) -> UUID | None:
    try:
        found = UUID(request.POST.get("article", ""))
    except ValueError:
        return None
    return article_with_id(found).pk
