"""Compares the answers before and after several articles change at once, by an import, a source, REST or a schedule.

However many articles change, at most 36 customers' questions are asked: up to 12 whose answers quoted one of the
articles, and the 24 nearest to any of their passages. Each is asked in both states of the articles. The articles are
copied for this, so saving one never has to wait. The search for contradictions and repetitions in the new texts has a
time limit. Editors see a notice about the findings until someone closes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from time import perf_counter
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db.models import FloatField, Min, Q, QuerySet
from django.db.models.functions import Cast
from django.utils.timezone import now
from pgvector.django import CosineDistance

from kb.draft_contradictions import Conflict, findings
from kb.errors import EmbeddingUnavailable, RecipeMismatch
from kb.indexing.models import Chunk
from kb.indexing.recipes import active_recipe, embedder_of
from kb.models import Article, Audience
from kb.validation import ArticleText
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import NotFound
from supportbot.evals.articles.affected_questions import (
    MAX_NEAREST,
    questions_quoting_any,
    recent_questions,
    vectors_of_questions,
)
from supportbot.evals.articles.answer_comparison import Outcome, compared_row
from supportbot.evals.articles.answer_preview import PreviewQuestion, quoted_if, vectors_of
from supportbot.evals.articles.earlier_articles import Facts, nearest_articles, state_with, texts_at
from supportbot.evals.models import DraftCheck
from supportbot.language.detection import base_language

Item = Mapping[str, Any]
BEFORE, AFTER = "before", "after"
UNREAD: Final = "unread"  # the key for the ids of new articles that a comparison leaves out
MOST_APART: Final = 3  # texts without passages in the index; their vectors are made here
MOST_EXAMINED: Final = 40  # texts searched for contradictions and repetitions
SECONDS: Final = 60.0  # the time limit of that search
MOST_LISTED: Final = 60  # findings of each kind
MOST_NOTICES: Final = 3
_WIDEST_FIRST: Final = (str(Audience.PUBLIC), str(Audience.SIGNED_IN), str(Audience.INTERNAL))


class ChangedArticles:
    """Articles before and after a change: `changes` contains the facts of both states, by article id.

    `unread` contains the ids of new articles published at the same time, which nobody could find before.
    """

    def __init__(self, changes: Mapping[str, Mapping[str, Facts]], unread: Sequence[str] = ()) -> None:
        self.unread = frozenset(UUID(name) for name in unread)
        self.before = {name: both[BEFORE] for name, both in changes.items()}
        self.after = {name: both[AFTER] for name, both in changes.items()}

    def items(self) -> list[Item]:
        """Return the questions to ask, each with its article."""
        quoting = questions_quoting_any([one.pk for one in self._articles])
        others = [question for question in recent_questions() if question not in quoting]
        about = {**quoting, **self._nearest(others)}
        return [{"question": question, "article": str(article_id)} for question, article_id in about.items()]

    def rows(self, step: Sequence[Item]) -> list[dict[str, Any]]:
        questions = [
            PreviewQuestion(item["question"], self._asker(item["article"]), self._workspace.locale) for item in step
        ]
        restored = nearest_articles(self._articles, self.before, questions)  # hidden in both states
        before, after = (state_with(self._articles, facts, restored) for facts in (self.before, self.after))
        before = replace(before, without=before.without | self.unread)
        both = (quoted_if(state, questions, workspace=self._workspace) for state in (before, after))
        names = [one.external_id for one in self._articles]
        return [
            {**compared_row(item["question"], was, seen, *names), "article": item["article"]}
            for item, was, seen in zip(step, *both, strict=True)
        ]

    def found(self) -> dict[str, Any]:
        """Return the contradictions and repetitions in the new texts, and the number of texts that were not examined in
        time.
        """
        fresh = [one for one in self._articles if self._has_new_text(one)]
        ends, examined = perf_counter() + SECONDS, 0
        contradictions: list[dict[str, Any]] = []
        repetitions: list[dict[str, Any]] = []
        for article in fresh[:MOST_EXAMINED]:
            if perf_counter() > ends:
                break
            # Read one article's texts at a time, because all texts of an import could fill the memory.
            former, text = (texts_at([article], facts).get(article.pk) for facts in (self.before, self.after))
            if text is not None and text != former:
                seen = findings(text, locale=base_language(article.locale), article_id=article.pk)
                contradictions += _new_findings(article, seen.contradictions, former)
                repetitions += _new_findings(article, seen.duplicates, former)
            examined += 1
        return {
            "contradictions": _once(contradictions)[:MOST_LISTED],
            "duplicates": _once(repetitions)[:MOST_LISTED],
            "examined": examined,
            "unexamined": len(fresh) - examined,
        }

    def _has_new_text(self, article: Article) -> bool:
        was, is_now = (facts[str(article.pk)]["revision"] for facts in (self.before, self.after))
        return is_now is not None and is_now != was

    @cached_property
    def _articles(self) -> list[Article]:
        rows: QuerySet[Article] = Article.objects.filter(pk__in=[UUID(name) for name in self.after])
        rows = rows.select_related("latest_revision").defer("latest_revision__body")
        found = {str(one.pk): one for one in rows}
        return [found[name] for name in self.after if name in found]

    @cached_property
    def _workspace(self) -> Workspace:
        found: Workspace = Workspace.objects.get(pk=current_workspace_id())
        return found

    def _asker(self, name: str) -> str:
        """Return the article's audience; if it has changed, the wider one."""
        states = [one[name] for one in (self.before, self.after) if one[name]["revision"] is not None]
        return min((str(one["audience"]) for one in states), key=_WIDEST_FIRST.index, default=_WIDEST_FIRST[0])

    def _nearest(self, questions: Sequence[str]) -> dict[str, UUID]:
        """Return the questions nearest to any passage of the articles, each with its nearest article; {} without an
        embedding model.
        """
        if not questions or not self._articles:
            return {}
        try:
            embedder_of(active_recipe())
            vectors = vectors_of_questions(questions)
        except (EmbeddingUnavailable, RecipeMismatch):
            return {}
        apart = [(pk, np.array(list(vectors_of(text).values()))) for pk, text in self._not_in_index().items()]
        near: dict[str, tuple[float, UUID]] = {}
        for question in questions:
            vector = vectors[question]
            others = [(1 - float((passages @ np.array(vector)).max()), pk) for pk, passages in apart if passages.size]
            if found := min([*self._near_passage(vector), *others], default=None):
                near[question] = found
        best = sorted(near, key=lambda question: near[question])[:MAX_NEAREST]
        return {question: near[question][1] for question in best}

    def _near_passage(self, vector: Sequence[float]) -> list[tuple[float, UUID]]:
        """Return the distance and the article of the nearest passage in the index; [] if there is none.

        The query groups by article so that the database does not use the approximate index: it would filter only
        afterwards and lose most of the rows.
        """
        rows = Chunk.objects.filter(article__in=self._articles, recipe=active_recipe(), embedding__isnull=False)
        distance = Cast(Min(CosineDistance("embedding", list(vector))), FloatField())
        found = rows.order_by().values("article_id").annotate(distance=distance).order_by("distance", "article_id")
        return [(row["distance"], row["article_id"]) for row in found[:1]]

    def _not_in_index(self) -> dict[UUID, ArticleText]:
        """Return the compared texts that have no passages in the index: the former texts of articles that nobody can
        read any more, and the texts of articles that have since been published again.
        """
        now_in = {one.pk: one.indexed_revision for one in self._articles if one.is_live}
        gone = [one for one in self._articles if self.after[str(one.pk)]["revision"] is None]
        newer = [one for one in self._articles if now_in.get(one.pk) != self.after[str(one.pk)]["revision"]]
        texts = {**texts_at(newer, self.after), **texts_at(gone, self.before)}
        return dict(list(texts.items())[:MOST_APART])


def _new_findings(article: Article, conflicts: Sequence[Conflict], former: ArticleText | None) -> list[dict[str, Any]]:
    """Return the findings that are new compared with the article's former text."""
    former_text = " ".join(former.body.split()) if former else ""
    return [
        {
            "ours": one.ours,
            "theirs": one.theirs,
            "article": str(article.pk),
            "title": article.title,
            "other": str(one.article_id),
            "other_title": one.title,
        }
        for one in conflicts
        if not former_text or " ".join(one.ours.split()) not in former_text
    ]


def _once(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the findings with each pair of sentences only once, even if both articles are new."""
    pairs = {frozenset((one["ours"], one["theirs"])): one for one in reversed(found)}
    return list(reversed(pairs.values()))


def comparison_with_id(comparison_id: UUID) -> DraftCheck:
    """Return a comparison of articles that changed together. Raises NotFound."""
    found: DraftCheck | None = DraftCheck.objects.filter(pk=comparison_id, articles__isnull=False).first()
    if found is None:
        raise NotFound()
    return found


def unseen() -> list[DraftCheck]:
    """Return the newest comparisons of articles that changed together, if they have something to report and their
    notice is still open.
    """
    rows = DraftCheck.objects.filter(
        _shows_findings(), articles__isnull=False, state=DraftCheck.State.DONE, seen_at=None
    )
    return list(rows.defer("items", "former", "facts").order_by("-created_at", "-id")[:MOST_NOTICES])


def _shows_findings() -> Q:
    """Return the condition for comparisons that have something to report."""
    shown = ~Q(problem="")
    for outcome in (one for one in Outcome if one != Outcome.SAME):
        shown |= Q(rows__contains=[{"outcome": str(outcome)}])
    for kind in ("contradictions", "duplicates"):
        shown |= Q(**{f"found__{kind}__0__isnull": False})
    return shown


def dismiss_notice(comparison_id: UUID) -> None:
    """Close the notice about a comparison. Raises NotFound."""
    if not DraftCheck.objects.filter(pk=comparison_id, articles__isnull=False).update(seen_at=now()):
        raise NotFound()
