"""How publications have changed the answers to customers' questions: a page that compares the answers after several
articles changed, and summaries for other pages.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop
from django.views.decorators.http import require_POST

from kb.models import Article
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, staff
from supportbot.evals.articles.answer_comparison import Outcome
from supportbot.evals.articles.batch_comparison import comparison_with_id, dismiss_notice, unseen
from supportbot.evals.articles.draft_checks import cancel, compared_in, resume
from supportbot.evals.articles.publication_comparison import outcomes_in
from supportbot.evals.models import DraftCheck

MOST_NAMED: Final = 50  # the maximum number of articles named on a page
QUESTIONS: Final = "conversations:read"
OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    Outcome.WORSE: ("bad", gettext_noop("Worse")),
    Outcome.CHANGED: ("warn", gettext_noop("Changed")),
    Outcome.BETTER: ("ok", gettext_noop("Better")),
    Outcome.SAME: ("", gettext_noop("Same")),
}


def comparison_page(request: HttpRequest, comparison_id: UUID) -> HttpResponse:
    """Show how articles that changed together affect customers' questions. A POST cancels or continues the comparison.

    Only people who may read conversations see customers' questions.
    """
    needs(request, "kb:read")
    comparison = comparison_with_id(comparison_id)
    if request.method == "POST":
        return _changed(request, comparison)
    found = comparison.found or {}
    ids = [UUID(name) for name in comparison.articles or {}]
    context = {
        **admin.site.each_context(request),
        "title": gettext("After publishing"),
        "comparison": comparison,
        "is_reloaded": comparison.is_open,
        "played": len(comparison.rows),
        "total": len(comparison.items) if comparison.items is not None else None,
        "rows": shown_rows(compared_in(comparison)),
        "counts": counts_of(comparison),
        "articles": Article.objects.filter(pk__in=ids).select_related("latest_revision")[:MOST_NAMED],
        "number": len(ids),
        "more": max(len(ids) - MOST_NAMED, 0),
        "contradictions": found.get("contradictions", []),
        "duplicates": found.get("duplicates", []),
        "unexamined": found.get("unexamined", 0),
        "is_examined": comparison.found is not None,
        "reads_questions": may(staff(request), QUESTIONS),
        "may_write": may(staff(request), "kb:write"),
    }
    return render(request, "console/articles/comparison.html", context)


def _changed(request: HttpRequest, comparison: DraftCheck) -> HttpResponse:
    needs(request, "kb:write")
    do = {"cancel": cancel, "continue": resume}.get(request.POST.get("do", ""))
    if do is not None:
        do(comparison.pk)
    return redirect("admin:article-comparison", comparison.pk)


@require_POST
def seen(request: HttpRequest, comparison_id: UUID) -> HttpResponse:
    """Dismiss the notice of a comparison for everyone."""
    needs(request, "kb:write")
    dismiss_notice(comparison_id)
    return redirect("admin:kb_article_changelist")


def notices(request: HttpRequest) -> list[dict[str, Any]]:
    """Return the findings of the newest comparisons, one per notice. Dismissed notices are left out."""
    if not may(staff(request), "kb:read"):
        return []
    closes = {"may_close": may(staff(request), "kb:write")}
    return [comparison_context(one) | closes for one in unseen()]


def comparison_context(comparison: DraftCheck) -> dict[str, Any]:
    """Return the template context for a comparison of several articles."""
    names = list(comparison.articles or {})
    first = Article.objects.filter(pk__in=[UUID(name) for name in names[:1]]).select_related("latest_revision").first()
    found = comparison.found or {}
    return {
        "comparison": comparison,
        "outcomes": counts_of(comparison),
        "href": address_of(comparison),
        "title": first.title if first else "",
        "number": len(names),
        "contradictions": len(found.get("contradictions", ())),
        "duplicates": len(found.get("duplicates", ())),
    }


def address_of(comparison: DraftCheck) -> str:
    """Return the address of the page that shows both answers to each question."""
    if comparison.articles is None:
        return reverse("admin:article-check", args=[comparison.article_id])
    return reverse("admin:article-comparison", args=[comparison.pk])


def shown_rows(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the compared questions, each with the kind and text of its tags."""
    return [{"row": row, "kind": OUTCOMES[row["outcome"]][0], "words": _words(row["outcome"])} for row in rows]


def counts_of(check: DraftCheck | None) -> list[tuple[str, str, int]]:
    """Return how many questions had each outcome, worst first, as (tag kind, tag text, number)."""
    counts = outcomes_in(check) if check else {}
    return [(kind, _words(outcome), counts[outcome]) for outcome, (kind, _) in OUTCOMES.items() if outcome in counts]


def _words(outcome: str) -> str:
    return gettext(OUTCOMES[outcome][1])
