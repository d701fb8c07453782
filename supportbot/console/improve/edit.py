"""Code shared by the *Improve* pages: an edit that a person changes, replays with questions and publishes; and
dismissing what the page is about.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Protocol
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext

from kb.models import Article, Audience
from kb.selectors import article_with_id
from kb.services import lock_unchanged
from kb.validation import check_article_text
from supportbot.console.articles.gate_check import (
    PUBLISHED_AGAINST_GATES,
    ArticleRefused,
    gate_cases,
    pass_gates,
    settle,
)
from supportbot.console.articles.publication_messages import show_published
from supportbot.console.display import error_text
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff, workspace_here
from supportbot.console.text_diff import Row, compare
from supportbot.errors import InvalidInput, NotFound, SupportBotError
from supportbot.evals.articles.answer_preview import AnswerPreview, Text, preview_answer, preview_answer_with
from supportbot.evals.articles.article_gates import Failure, publishing
from supportbot.evals.articles.publication_comparison import compare_publication
from supportbot.insights.improve.services import Edit, publish_edit
from supportbot.language.personal_data import without_personal_data
from supportbot.rate_counters import count
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE

MOST_REPLAYED: Final = 6
REPLAYS_A_MINUTE: Final = 6
NEW: Final = "new"
Choices = list[tuple[str, str, bool]]  # articles that can be edited: value, title, and whether it is selected


@dataclass(frozen=True, slots=True)
class Replayed:
    """One question, with its current answer and the answer after the edit."""

    question: str
    before: AnswerPreview
    after: AnswerPreview

    @property
    def verdict(self) -> tuple[str, str]:
        """Return the kind and text of a tag."""
        was_known, is_known = (not one.answer.is_abstention for one in (self.before, self.after))
        if was_known != is_known:
            return ("ok", gettext("Better")) if is_known else ("bad", gettext("Worse"))
        if self.before.answer.text == self.after.answer.text:
            return "", gettext("Same")
        return "info", gettext("Changed")


@dataclass(frozen=True, slots=True)
class FindingEdit:
    """What a page is about: the findings that an edit settles, the questions to replay, and what *Dismiss* does."""

    kind: str
    subjects: Sequence[UUID]
    questions: Callable[[], Sequence[str]]
    dismiss: Callable[[str], object]
    proposed: Callable[[], Edit]


class Page(Protocol):
    def __call__(
        self, edit: Edit, *, replayed: Sequence[Replayed] = (), failures: Sequence[Failure] = ()
    ) -> HttpResponse: ...


def handle(request: HttpRequest, work: FindingEdit, page: Page) -> HttpResponse:
    """Handle the buttons below an edit. Typed text is never lost."""
    needs(request, "kb:write")
    edit = None
    try:
        match request.POST.get("do", ""):
            case "dismiss":
                work.dismiss(request.POST.get("reason", ""))
                messages.success(request, gettext("Dismissed."))
                return to_list(work.kind)
            case "replay":
                edit = typed(request)
                return page(edit, replayed=replay(request, work.questions(), edit))
            case _:
                edit = typed(request)
                _publish(request, work, edit)
    except SupportBotError as refusal:
        messages.error(request, error_text(refusal))
        failures = refusal.failures if isinstance(refusal, ArticleRefused) else ()
        return page(edit or unchecked(request) or work.proposed(), failures=failures)
    return to_list(work.kind)


def to_list(kind: str) -> HttpResponse:
    return redirect(f"{reverse('admin:improve')}?kind={kind}")


def _publish(request: HttpRequest, work: FindingEdit, edit: Edit) -> None:
    article = article_with_id(edit.article_id) if edit.article_id else None
    passed = pass_gates(
        publishing(article, edit.change),
        workspace=workspace_here(request),
        person=staff(request),
        override=request.POST.get("override", ""),
    )
    with transaction.atomic():
        if article is not None:
            lock_unchanged(article)
        edited = publish_edit(work.kind, work.subjects, edit, author=person_of(request))
        settle(request, passed, edited.pk, event=PUBLISHED_AGAINST_GATES)
        comparison = compare_publication(edited.pk, article)
    show_published(request, article or edited, passed, comparison)


def typed(request: HttpRequest) -> Edit:
    """Return the edit entered in the form. Raises InvalidDocument, or NotFound for an invalid id."""
    edit = unchecked(request) or Edit(None, "", "")
    if edit.article_id is None and request.POST.get("article", NEW) != NEW:
        raise NotFound()
    wording = check_article_text(edit.title, edit.body)
    return replace(edit, title=wording.title, body=wording.body)


def unchecked(request: HttpRequest) -> Edit | None:
    """Return the submitted edit without validation, so that typed text is not lost; None if the form was not
    submitted.
    """
    sent = request.POST
    if "body" not in sent:
        return None
    asked, based_on = sent.get("article", NEW), sent.get("based_on", "")
    number = int(based_on) if based_on.isascii() and based_on.isdigit() and len(based_on) < 10 else None
    return Edit(article_id_in(asked), sent.get("title", ""), sent["body"], number)


def article_id_in(text: str) -> UUID | None:
    """Return an article's id, or None for a new article or an invalid id."""
    try:
        return UUID(text)
    except ValueError:
        return None


def replay(request: HttpRequest, questions: Sequence[str], edit: Edit) -> list[Replayed]:
    """Ask the first few questions, both with the live articles and with the edit.

    Raises InvalidInput if this is done too often.
    """
    if count(f"replay:{person_of(request).pk}", seconds=60) > REPLAYS_A_MINUTE:
        raise InvalidInput(gettext("Too many questions in a minute. Wait a moment and try again."))
    text = Text(edit.article_id, edit.change, check_article_text(edit.title, edit.body))
    to: dict[str, Any] = {"workspace": workspace_here(request), "audience": _audience(edit)}
    return [
        Replayed(
            without_personal_data(question), preview_answer(question, **to), preview_answer_with(text, question, **to)
        )
        for question in questions[:MOST_REPLAYED]
    ]


def _audience(edit: Edit) -> str:
    article = Article.objects.filter(pk=edit.article_id).first() if edit.article_id else None
    is_open = article is None or article.audience == Audience.PUBLIC
    return str(Audience.PUBLIC if is_open else Audience.SIGNED_IN)


def edit_context(
    request: HttpRequest, edit: Edit, choices: Choices, replayed: Sequence[Replayed], failures: Sequence[Failure]
) -> dict[str, Any]:
    """Return the template context for `console/improve/edit.html`."""
    person = needs(request, "kb:read")
    return {
        "edit": edit,
        "changes": _changes(edit),
        "choices": choices,
        "replayed": replayed,
        "failures": failures,
        "cases": gate_cases(request, [one.name for one in failures]),
        "has_gates": bool(gates()),
        "may_override": person.may(OVERRIDE),
        "may_write": may(person, "kb:write"),
    }


def _changes(edit: Edit) -> list[Row]:
    """Return what an edit changes in its article; nothing for a new article."""
    article = Article.objects.filter(pk=edit.article_id).first() if edit.article_id else None
    newest = article.latest_revision if article else None
    return compare(newest.body, edit.body) if newest and newest.body != edit.body else []
