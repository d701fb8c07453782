"""The page for one group of findings: its conversations, its passages, the suggested edit, a replay with that edit, and
the actions.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from kb.models import Article
from kb.selectors import article_with_id
from supportbot.chat.models import Conversation
from supportbot.chat.retrieval_trace import RetrievalTrace, TracedPassage, traces_of
from supportbot.console.evals.case_pages import may_make_cases
from supportbot.console.improve.already_settled import settled
from supportbot.console.improve.edit import (
    MOST_REPLAYED,
    NEW,
    Choices,
    FindingEdit,
    Replayed,
    article_id_in,
    edit_context,
    handle,
    unchecked,
)
from supportbot.console.improve.listing import KINDS, remark_of
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, workspace_here
from supportbot.errors import NotFound
from supportbot.evals.articles.article_gates import Failure
from supportbot.handoff.desk.assistant_activity import withheld_sentences
from supportbot.insights.improve.clusters import Cluster, group_with
from supportbot.insights.improve.findings import Finding, Kind
from supportbot.insights.improve.proposed_edits import proposed, rewritten, target_of, without_model
from supportbot.insights.improve.services import Edit, dismiss
from supportbot.language.personal_data import without_personal_data

MOST_SHOWN: Final = 20


def group(request: HttpRequest, kind: str, subject: UUID) -> HttpResponse:
    """Show one group of findings, and handle its buttons."""
    needs(request, "kb:read")
    try:
        found = _cluster(kind, subject)
    except NotFound:
        if request.method == "POST" and kind in list(Kind):
            return settled(request, kind)
        raise
    page = partial(_page, request, found)
    if request.method != "POST":
        return page(_proposed(request, found))
    needs(request, "kb:write")
    if request.POST.get("do") == "rewrite":
        if passage := rewritten(found, workspace_here(request)):
            return page(_proposed(request, found, passage))
        messages.warning(request, without_model())
        return page(unchecked(request) or _proposed(request, found))
    subjects = [one.subject for one in found.findings]
    work = FindingEdit(
        kind,
        subjects,
        lambda: found.questions,
        dismiss=lambda reason: dismiss(kind, subjects, reason=reason, person=person_of(request)),
        proposed=lambda: _proposed(request, found),
    )
    return handle(request, work, page)


def _cluster(kind: str, subject: UUID) -> Cluster:
    """Return the group that contains this finding. Raises NotFound if the finding has been dealt with or erased."""
    if kind not in list(Kind):
        raise NotFound()
    return group_with(Kind(kind), subject)


def _proposed(request: HttpRequest, found: Cluster, passage: str = "") -> Edit:
    article = request.POST.get("article") or request.GET.get("article", "")
    target = None if article == NEW else (article_id_in(article) if article else target_of(found))
    return proposed(found, article_with_id(target) if target else None, passage)


def _page(
    request: HttpRequest,
    found: Cluster,
    edit: Edit,
    *,
    replayed: Sequence[Replayed] = (),
    failures: Sequence[Failure] = (),
) -> HttpResponse:
    person, newest = needs(request, "kb:read"), found.newest
    trace = _trace(found)
    passages = trace.passages[:MOST_REPLAYED] if trace else ()
    context = {
        **admin.site.each_context(request),
        "title": without_personal_data(newest.question),
        "kind": newest.kind,
        "kind_label": gettext(KINDS[newest.kind][0]),
        "times": len(found.findings),
        "shown": [_row(one) for one in found.findings[:MOST_SHOWN]],
        "passages": passages,
        "withheld": _withheld(trace) if trace and newest.kind == Kind.WITHHELD else (),
        "reads_conversations": may(person, "conversations:read"),
        "may_evaluate": may_make_cases(person),
        "may_rewrite": bool(found.replies),
        **edit_context(request, edit, _choices(passages, edit), replayed, failures),
    }
    return render(request, "console/improve/group.html", context)


def _row(finding: Finding) -> dict[str, Any]:
    """Return a finding as a row of the page, with personal data removed."""
    return {
        "conversation": finding.conversation,
        "subject": finding.subject,
        "answer_id": finding.answer_id,
        "at": finding.at,
        "question": without_personal_data(finding.question),
        "answer": without_personal_data(finding.answer),
        "remark": remark_of(finding),
        "replies": [without_personal_data(reply) for reply in finding.replies],
    }


def _trace(found: Cluster) -> RetrievalTrace | None:
    """Return the trace of the newest answer, which has the search results, best first, and the withheld text."""
    newest = found.newest
    conversation = Conversation.objects.filter(pk=newest.conversation).first()
    return traces_of(conversation).get(newest.answer_id) if conversation and newest.answer_id else None


def _withheld(trace: RetrievalTrace) -> list[dict[str, str]]:
    """Return the text that the checks withheld and the reasons, with personal data removed."""
    return [{"text": without_personal_data(one.text), "why": one.why} for one in withheld_sentences(trace.withheld)]


def _choices(passages: Sequence[TracedPassage], edit: Edit) -> Choices:
    """Return the articles that can be edited: those found by search, the one being edited, and a new one."""
    titles = {passage.article: passage.title for passage in passages}
    if edit.article_id is not None:
        titles.setdefault(str(edit.article_id), edit.title)
    there = {str(pk) for pk in Article.objects.filter(pk__in=list(titles)).values_list("pk", flat=True)}
    own = str(edit.article_id) if edit.article_id else NEW
    known = [(value, title, value == own) for value, title in titles.items() if value in there]
    return [(NEW, gettext("A new article"), own == NEW), *known]
