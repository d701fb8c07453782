"""Improve: one list of findings that may need improvement, and a page for each group in it.

Customers' texts are shown with personal data removed, because editors may not read conversations.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from kb.models import Article
from supportbot.console.articles.gate_check import gate_cases
from supportbot.console.draft_usage import rows_by_release
from supportbot.console.evals.case_pages import may_make_cases
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of
from supportbot.console.text_diff import Piece
from supportbot.evals.articles.broken_cases import broken_now, dismiss_broken
from supportbot.evals.models import ArticleCheck
from supportbot.handoff.desk.conversation_lines import RATING_REASONS
from supportbot.insights.improve import contradictions as contradicting
from supportbot.insights.improve.clusters import Cluster, clusters
from supportbot.insights.improve.findings import DAYS, Finding, Kind, findings
from supportbot.insights.improve.outdated_answers import KIND as RECALL
from supportbot.insights.improve.outdated_answers import outdated_answers
from supportbot.insights.improve.services import dismiss
from supportbot.language.personal_data import without_personal_data
from supportbot.query_parameters import one_of

BROKEN: Final = "broken"
MOST_NAMED: Final = 20  # articles per check
KINDS: Final[Mapping[str, tuple[str, str]]] = {
    Kind.RATED_BAD: (gettext_noop("Rated badly"), gettext_noop("Customers rated these answers 1 or 2 out of 5.")),
    Kind.UNANSWERED: (gettext_noop("Unanswered"), gettext_noop("No article answered these questions.")),
    Kind.WITHHELD: (gettext_noop("Withheld"), gettext_noop("The checks withheld these answers entirely.")),
    Kind.CORRECTED: (
        gettext_noop("Corrected"),
        gettext_noop(
            "A person answered a question that the assistant had answered from an article, or sent something other "
            "than its draft."
        ),
    ),
    Kind.HANDED_OVER: (
        gettext_noop("Handed over"),
        gettext_noop("Customers were handed over to a person after an answer from an article."),
    ),
    contradicting.KIND: (
        gettext_noop("Contradictory"),
        gettext_noop("Two articles say nearly the same thing, with different figures."),
    ),
    BROKEN: (
        gettext_noop("Broken"),
        gettext_noop("Since these articles changed, some gate questions no longer get the expected answer."),
    ),
    RECALL: (
        gettext_noop("Outdated answers"),
        gettext_noop("A figure that customers were given has since changed in its article."),
    ),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One group of findings in the list."""

    times: int
    question: str
    remark: str
    last_at: datetime
    href: str
    subject: UUID


def improve(request: HttpRequest) -> HttpResponse:
    """List the groups of one kind, largest first. A POST dismisses findings that have no page of their own."""
    person = needs(request, "kb:read")
    kind = one_of("kind", request.GET.get("kind", Kind.UNANSWERED), KINDS)
    if request.method == "POST":
        return _dismissed(request, kind)
    found = {one: findings(one) for one in Kind}
    pairs = contradicting.contradictions() if kind == contradicting.KIND else contradicting.contradictions_if_quick()
    outdated, broken = outdated_answers(), _broken()
    numbers: dict[str, int | None] = {str(one): len(some) for one, some in found.items()}
    numbers |= {
        contradicting.KIND: None if pairs is None else len(pairs),
        BROKEN: sum(len(failures) for _, _, failures in broken),
        RECALL: sum(len(one.sentences) for one in outdated),
    }
    rows = [row_of(one) for one in clusters(found[Kind(kind)])] if kind in list(Kind) else []
    context = {
        **admin.site.each_context(request),
        "title": gettext("Improve"),
        "kind": kind,
        "kinds": [(name, gettext(label), numbers[name]) for name, (label, _) in KINDS.items()],
        "explained": gettext(KINDS[kind][1]),
        "days": DAYS,
        "may_write": may(person, "kb:write"),
        "reads_conversations": may(person, "conversations:read"),
        "may_evaluate": may_make_cases(person),
        "rows": rows,
        "asked_in_all": sum(row.times for row in rows),
        "pairs": [(pair, sides_of(pair)) for pair in pairs or []] if kind == contradicting.KIND else [],
        "outdated": outdated if kind == RECALL else [],
        "checks": broken if kind == BROKEN else [],
        "cases": gate_cases(request, [one["case"] for _, _, failures in broken for one in failures]),
        "drafts": rows_by_release() if kind == Kind.CORRECTED else [],
    }
    return render(request, "console/improve/list.html", context)


@dataclass(frozen=True, slots=True)
class ContradictingSide:
    """One sentence of a contradiction, with the differing figures marked."""

    statement: contradicting.Statement
    pieces: tuple[Piece, ...]

    @property
    def figures(self) -> str:
        return ", ".join(piece.text for piece in self.pieces if piece.is_changed)


def sides_of(pair: contradicting.Contradiction) -> tuple[ContradictingSide, ContradictingSide]:
    return _side(pair.one, pair.other), _side(pair.other, pair.one)


def _side(ours: contradicting.Statement, theirs: contradicting.Statement) -> ContradictingSide:
    pieces, at = list[Piece](), 0
    for one in contradicting.differing(ours.figures, theirs.figures):
        pieces += [Piece(ours.text[at : one.start], False), Piece(ours.text[one.start : one.end], True)]
        at = one.end
    return ContradictingSide(ours, (*pieces, Piece(ours.text[at:], False)))


def _broken() -> list[tuple[ArticleCheck, list[Article], list[dict[str, Any]]]]:
    """Return the checks that have open findings, with their articles and cases."""
    found: dict[UUID, tuple[ArticleCheck, list[dict[str, Any]]]] = {}
    for check, failure in broken_now():
        found.setdefault(check.pk, (check, []))[1].append(failure)
    articles = Article.objects.in_bulk({pk for check, _ in found.values() for pk in check.articles[:MOST_NAMED]})
    return [
        (check, [articles[pk] for pk in check.articles[:MOST_NAMED] if pk in articles], failures)
        for check, failures in found.values()
    ]


def old_page(request: HttpRequest) -> HttpResponse:
    """Redirect from the former address of unanswered questions to their list."""
    needs(request, "kb:read")
    return redirect(f"{reverse('admin:improve')}?kind={Kind.UNANSWERED}")


def row_of(one: Cluster) -> Row:
    newest = one.newest
    href = reverse("admin:improve-group", args=[newest.kind, newest.subject])
    return Row(
        len(one.findings), without_personal_data(newest.question), remark_of(newest), newest.at, href, newest.subject
    )


def remark_of(one: Finding) -> str:
    """Return the customer's comment on what was wrong."""
    reason = gettext(RATING_REASONS[one.reason]) if one.reason in RATING_REASONS else ""
    return ": ".join(part for part in (reason, without_personal_data(one.comment)) if part)


def _dismissed(request: HttpRequest, kind: str) -> HttpResponse:
    person = needs(request, "kb:write")
    if kind == BROKEN:
        dismiss_broken(request.POST.get("case", ""), reason=request.POST.get("reason", ""), by=person.name)
        messages.success(request, gettext("Dismissed."))
        return redirect(f"{reverse('admin:improve')}?kind={kind}")
    try:
        subject = UUID(request.POST.get("subject", ""))
    except ValueError:
        subject = None
    if subject is not None and subject in _dismissible(kind):
        dismiss(kind, [subject], reason=request.POST.get("reason", ""), person=person_of(request))
        messages.success(request, gettext("Dismissed."))
    return redirect(f"{reverse('admin:improve')}?kind={kind}")


def _dismissible(kind: str) -> set[UUID]:
    """Return the ids of the listed findings of a kind whose findings have no pages."""
    if kind == contradicting.KIND:
        return {pair.subject for pair in contradicting.contradictions()}
    if kind == RECALL:
        return {sentence.subject for one in outdated_answers() for sentence in one.sentences}
    return set()
