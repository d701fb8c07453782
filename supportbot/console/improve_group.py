"""The page of one group of findings: its chats, its passages, the proposed edit, its replay, and the actions."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from uuid import UUID

from django.contrib import admin, messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext

from kb.documents import check_article_text
from kb.models import Article, Audience
from kb.selectors import article_with_id
from kb.services import lock_unchanged
from supportbot.chat.models import Conversation
from supportbot.chat.retrieval_trace import RetrievalTrace, TracedPassage, traces_of
from supportbot.console.articles.gates import PUBLISHED_AGAINST_GATES, ArticleRefused, pass_gates, settle
from supportbot.console.articles.published import tell_published
from supportbot.console.display import error_text
from supportbot.console.evals.pages import may_make_cases
from supportbot.console.improve import KINDS, remark_of
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff, workspace_here
from supportbot.console.text_diff import Row, compare
from supportbot.errors import InvalidInput, NotFound, SupportBotError
from supportbot.evals.articles.publications import compare_publication
from supportbot.evals.articles.rehearsal import Rehearsal, Text, rehearse, rehearse_with
from supportbot.evals.articles.trials import Failure, publishing
from supportbot.handoff.desk.activity import withheld_sentences
from supportbot.insights.clusters import Cluster, group_with
from supportbot.insights.findings import Finding, Kind
from supportbot.insights.proposed_edits import proposed, rewritten, target_of, without_model
from supportbot.insights.services import Edit, dismiss, publish_edit
from supportbot.language.personal_data import without_personal_data
from supportbot.rate_counters import count
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE

MOST_REPLAYED: Final = 6
MOST_SHOWN: Final = 20
REPLAYS_A_MINUTE: Final = 6
NEW: Final = "new"


@dataclass(frozen=True, slots=True)
class Replayed:
    """One question with today's answer and the one with the edit."""

    question: str
    before: Rehearsal
    after: Rehearsal

    @property
    def verdict(self) -> tuple[str, str]:
        """Return the kind and text of a tag."""
        was_known, is_known = (not one.answer.is_abstention for one in (self.before, self.after))
        if was_known != is_known:
            return ("ok", gettext("Better")) if is_known else ("bad", gettext("Worse"))
        if self.before.answer.text == self.after.answer.text:
            return "", gettext("Same")
        return "info", gettext("Changed")


def group(request: HttpRequest, kind: str, subject: UUID) -> HttpResponse:
    """Show one group of findings, and handle its buttons."""
    needs(request, "kb:read")
    found = _cluster(kind, subject)
    if request.method != "POST":
        return _page(request, found, _proposed(request, found))
    needs(request, "kb:write")
    do = request.POST.get("do", "")
    subjects = [one.subject for one in found.findings]
    edit = None
    try:
        if do == "dismiss":
            dismiss(kind, subjects, reason=request.POST.get("reason", ""), person=person_of(request))
            messages.success(request, gettext("Dismissed."))
            return _to_list(kind)
        if do == "rewrite":
            if passage := rewritten(found, workspace_here(request)):
                return _page(request, found, _proposed(request, found, passage))
            messages.warning(request, without_model())
            return _page(request, found, _unchecked(request) or _proposed(request, found))
        edit = _typed(request)
        if do == "replay":
            return _page(request, found, edit, replayed=_replay(request, found, edit))
        _publish(request, found, edit)
    except SupportBotError as refusal:
        messages.error(request, error_text(refusal))
        failures = refusal.failures if isinstance(refusal, ArticleRefused) else ()
        return _page(request, found, edit or _unchecked(request) or _proposed(request, found), failures=failures)
    return _to_list(kind)


def _publish(request: HttpRequest, found: Cluster, edit: Edit) -> None:
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
        subjects = [one.subject for one in found.findings]
        edited = publish_edit(found.newest.kind, subjects, edit, author=person_of(request))
        settle(request, passed, edited.pk, event=PUBLISHED_AGAINST_GATES)
        comparison = compare_publication(edited.pk, article)
    tell_published(request, article or edited, passed, comparison)


def _to_list(kind: str) -> HttpResponse:
    return redirect(f"{reverse('admin:improve')}?kind={kind}")


def _cluster(kind: str, subject: UUID) -> Cluster:
    """Return the group with this finding; raises NotFound if it has been dealt with or erased."""
    if kind not in list(Kind):
        raise NotFound()
    return group_with(Kind(kind), subject)


def _proposed(request: HttpRequest, found: Cluster, passage: str = "") -> Edit:
    asked = request.POST.get("article") or request.GET.get("article", "")
    target = None if asked == NEW else (_id(asked) if asked else target_of(found))
    return proposed(found, article_with_id(target) if target else None, passage)


def _typed(request: HttpRequest) -> Edit:
    """Return the edit as entered in the form. Raises InvalidDocument, or NotFound for an id that is none."""
    edit = _unchecked(request) or Edit(None, "", "")
    if edit.article_id is None and request.POST.get("article", NEW) != NEW:
        raise NotFound()
    wording = check_article_text(edit.title, edit.body)
    return replace(edit, title=wording.title, body=wording.body)


def _unchecked(request: HttpRequest) -> Edit | None:
    """Return the edit as it was sent, so that nothing typed is lost; None if this form was not sent."""
    sent = request.POST
    if "body" not in sent:
        return None
    asked, based_on = sent.get("article", NEW), sent.get("based_on", "")
    number = int(based_on) if based_on.isascii() and based_on.isdigit() and len(based_on) < 10 else None
    return Edit(_id(asked), sent.get("title", ""), sent["body"], number)


def _id(text: str) -> UUID | None:
    """Return an article's id, None for a new one and for a text that is no id."""
    try:
        return UUID(text)
    except ValueError:
        return None


def _replay(request: HttpRequest, found: Cluster, edit: Edit) -> list[Replayed]:
    if count(f"replay:{person_of(request).pk}", seconds=60) > REPLAYS_A_MINUTE:
        raise InvalidInput(gettext("Too many questions in a minute. Wait a moment and try again."))
    text = Text(edit.article_id, edit.change, check_article_text(edit.title, edit.body))
    to: dict[str, Any] = {"workspace": workspace_here(request), "audience": _audience(edit)}
    return [
        Replayed(without_personal_data(question), rehearse(question, **to), rehearse_with(text, question, **to))
        for question in found.questions[:MOST_REPLAYED]
    ]


def _audience(edit: Edit) -> str:
    article = Article.objects.filter(pk=edit.article_id).first() if edit.article_id else None
    is_open = article is None or article.audience == Audience.PUBLIC
    return str(Audience.PUBLIC if is_open else Audience.SIGNED_IN)


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
        "edit": edit,
        "changes": _changes(edit),
        "choices": _choices(passages, edit),
        "replayed": replayed,
        "failures": failures,
        "has_gates": bool(gates()),
        "may_override": person.may(OVERRIDE),
        "may_write": may(person, "kb:write"),
        "reads_conversations": may(person, "conversations:read"),
        "may_evaluate": may_make_cases(person),
        "may_rewrite": bool(found.replies),
    }
    return render(request, "console/improve/group.html", context)


def _row(finding: Finding) -> dict[str, Any]:
    """Return what the page shows of a finding, without personal data."""
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
    """Return what is recorded about the newest answer: what search had found, best first, and what was withheld."""
    newest = found.newest
    conversation = Conversation.objects.filter(pk=newest.conversation).first()
    return traces_of(conversation).get(newest.answer_id) if conversation and newest.answer_id else None


def _withheld(trace: RetrievalTrace) -> list[dict[str, str]]:
    """Return what the checks withheld and why, without personal data."""
    return [{"text": without_personal_data(one.text), "why": one.why} for one in withheld_sentences(trace.withheld)]


def _changes(edit: Edit) -> list[Row]:
    """Return what an edit changes in its article; nothing for a new one."""
    article = Article.objects.filter(pk=edit.article_id).first() if edit.article_id else None
    newest = article.latest_revision if article else None
    return compare(newest.body, edit.body) if newest and newest.body != edit.body else []


def _choices(passages: Sequence[TracedPassage], edit: Edit) -> list[tuple[str, str, bool]]:
    """Return the articles that can be edited: value, title, and whether it is selected."""
    titles = {passage.article: passage.title for passage in passages}
    if edit.article_id is not None:
        titles.setdefault(str(edit.article_id), edit.title)
    there = {str(pk) for pk in Article.objects.filter(pk__in=list(titles)).values_list("pk", flat=True)}
    own = str(edit.article_id) if edit.article_id else NEW
    known = [(value, title, value == own) for value, title in titles.items() if value in there]
    return [(NEW, gettext("A new article"), own == NEW), *known]
