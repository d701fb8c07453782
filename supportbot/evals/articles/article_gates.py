"""Tests a change to an article against the gates' cases. The change is refused if a case that must pass would break.

The cases are those that expect this article as a source, and those nearest to it in meaning. The built-in answerer
answers their questions with the change and, if a case fails, again without it. Nothing is stored, no model is called
and no action is taken. Cases with several questions or a judge run only when a release is evaluated.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final
from uuid import UUID

from kb.indexing.vector_cache import question_vectors
from kb.models import Article, Audience, Phrasing
from kb.phrasings import fill_phrasings, phrasing_vectors, phrasings_of, set_phrasings
from kb.ports import ChangedContent, Verdict
from kb.search.curated import SOME, overlap
from kb.services import Change, archive, default_locale, save_draft
from kb.validation import ArticleText, check_article_text, language_of
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.chat.answers import Answer
from supportbot.evals.articles.affected_questions import MAX_NEAREST, MAX_READ, nearest
from supportbot.evals.articles.answer_preview import (
    AS_IT_IS,
    PreviewQuestion,
    Quoted,
    State,
    Text,
    Vectors,
    fill_vectors,
    publication_of,
    quoted_if,
    vectors_of,
)
from supportbot.evals.grading.graders import Grade, grades_of
from supportbot.evals.result_texts import in_words
from supportbot.evals.runs.case_outcomes import CaseTry, Reply
from supportbot.evals.selectors import gate_cases
from supportbot.evals.suite_formats.own_format import Case
from supportbot.language.detection import base_language
from supportbot.language.words import content_stems
from supportbot.releases.selectors import gates

MAX_SECONDS: Final = 20.0  # a person is waiting, and the article's row stays locked
MAX_NAMING: Final = 60
MAX_APART: Final = 5  # articles whose cases are selected individually
Phrasings = tuple[str, ...] | None  # None leaves them unchanged
Prepared = Callable[[], State]  # does slow work, such as making vectors, before rows are locked


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that passes now and would fail after the change, with both answers and the reasons."""

    name: str  # "suite: case"
    question: str
    before: Answer
    after: Answer
    reasons: tuple[str, ...]

    @property
    def texts(self) -> tuple[str, str]:
        """Return the texts of both answers; "" means no answer."""
        before, after = ("" if one.is_abstention else one.text for one in (self.before, self.after))
        return before, after


@dataclass(frozen=True, slots=True)
class TrialResult:
    """The cases that a change would break, the number of cases run, and the number not run in time."""

    failures: tuple[Failure, ...]
    played: int
    untried: int


@dataclass(frozen=True, slots=True)
class Trial:
    """A change to an article, to be tried: the text that it affects, and the function that applies it."""

    external_id: str
    wording: ArticleText
    locale: str
    prepared: Prepared
    phrasings: tuple[str, ...] = ()  # before and after the change


def publishing(article: Article | None, change: Change, *, external_id: str = "", phrasings: Phrasings = None) -> Trial:
    """Return the trial of publishing a text as an existing or a new article. Raises InvalidDocument."""
    wording = check_article_text(change.title or "", change.body or "")
    text = Text(article.pk if article else None, change, wording, phrasings)
    locale = change.locale or (article.locale if article else language_of(wording, default_locale()))
    name = article.external_id if article else external_id
    return Trial(name, wording, locale, partial(publication_of, text), _both(article, phrasings))


def publishing_newest(article: Article) -> Trial:
    """Return the trial of publishing an article's newest revision."""
    newest = article.latest_revision
    assert newest is not None, "an article is created together with its first revision"
    wording = ArticleText(newest.title, newest.body)
    text = Text(article.pk, Change(title=newest.title, body=newest.body), wording)
    return Trial(article.external_id, wording, article.locale, partial(publication_of, text), _both(article))


def changing(article: Article, change: Change, *, phrasings: Phrasings = None) -> Trial:
    """Return the trial of a new audience, language or phrasings for a live text. These take effect as soon as they are
    saved.
    """
    live = article.live_revision
    assert live is not None, "only of a live article"
    facts = Change(audience=change.audience, locale=change.locale, for_assistant=change.for_assistant)
    return Trial(
        article.external_id,
        ArticleText(live.title, live.body),
        change.locale or article.locale,
        lambda: State(partial(_change_facts, article.pk, facts, phrasings, phrasing_vectors(phrasings or ()))),
        _both(article, phrasings),
    )


def archiving(article: Article) -> Trial:
    live = article.live_revision
    wording = ArticleText(live.title, live.body) if live else ArticleText(article.title, "")
    return Trial(
        article.external_id, wording, article.locale, lambda: State(partial(_archive, article.pk)), _both(article)
    )


def _both(article: Article | None, phrasings: Phrasings = None) -> tuple[str, ...]:
    """Return an article's phrasings before and after a change."""
    return tuple(dict.fromkeys([*(phrasings_of(article) if article else ()), *(phrasings or ())]))


def tried(trial: Trial, *, workspace: Workspace) -> TrialResult:
    """Run the gates' cases on a change and return the result. Raises GateMissing, and the errors of the change."""
    cases = chosen_for(quotation_cases(), trial)
    failures, untried = broken(cases, trial.prepared, as_it_is, workspace=workspace, seconds=MAX_SECONDS)
    return TrialResult(tuple(failures), len(cases) - untried, untried)


def broken(
    cases: Sequence[tuple[str, Case]],
    after: Prepared,
    before: Callable[[Sequence[PreviewQuestion]], State],
    *,
    workspace: Workspace,
    seconds: float,
) -> tuple[list[Failure], int]:
    """Return the cases that pass before a change and fail after it, and the number of cases not run.

    Only the cases that fail after the change are also run before it. Searching may take `seconds` in each of these
    states; a failing case that cannot be run in the former state in time counts as not run.
    """
    if not cases:
        return [], 0
    questions = [asked_by(case, workspace) for _, case in cases]
    seen = quoted_if(after(), questions, workspace=workspace, seconds=seconds)
    failed = {place: grades for place, one in enumerate(seen) if (grades := failed_grades(cases[place][1], one))}
    again = [questions[place] for place in failed]
    was = quoted_if(before(again), again, workspace=workspace, seconds=seconds) if again else []
    failures = []
    for (place, grades), one in zip(failed.items(), was, strict=False):
        name, case = cases[place]
        if not failed_grades(case, one):
            reasons = tuple(in_words(grades))
            failures.append(Failure(name_of(name, case), case.asks, one.answer, seen[place].answer, reasons))
    return failures, len(cases) - len(seen) + len(again) - len(was)


def passing(cases: Sequence[tuple[str, Case]], *, workspace: Workspace, seconds: float) -> list[str]:
    """Return the names of the cases that pass with the live articles. Cases that were not run in time are left out."""
    questions = [asked_by(case, workspace) for _, case in cases]
    seen = quoted_if(AS_IT_IS, questions, workspace=workspace, seconds=seconds)
    both = zip(cases, seen, strict=False)
    return [name_of(suite, case) for (suite, case), one in both if not failed_grades(case, one)]


def name_of(suite: str, case: Case) -> str:
    """Return the name of a case as people see it: the suite and the case."""
    return f"{suite}: {case.key}"


def cases_about(touched: Mapping[str, ChangedContent]) -> list[tuple[str, Case]]:
    """Return the cases to run for these articles, which are given by external id; if there are many, return all
    cases.
    """
    cases = quotation_cases()
    if len(touched) > MAX_APART:
        return cases
    phrasings = _phrasings_of(touched)
    trials = [Trial(name, one.wording, one.locale, _nothing, phrasings[name]) for name, one in touched.items()]
    found = {(name, case.key): (name, case) for trial in trials for name, case in chosen_for(cases, trial)}
    return list(found.values())


def verdict_on(change: Callable[[], object], touched: Mapping[str, ChangedContent], *, seconds: float) -> Verdict:
    """Return the gates' verdict on a change to articles. The setting `KB_GATES` refers to this function.

    Raises GateMissing, and the errors of the change.
    """
    if not gates():
        return Verdict()
    workspace = Workspace.objects.get(pk=current_workspace_id())
    prepared = partial(_with_vectors, change, touched)
    failures, untried = broken(cases_about(touched), prepared, as_it_is, workspace=workspace, seconds=seconds)
    return Verdict(tuple(f"{one.name} ({', '.join(one.reasons)})" for one in failures), untried)


def as_it_is(*_questions: Sequence[PreviewQuestion]) -> State:
    """Return the current state of the articles, which needs no preparation."""
    return AS_IT_IS


def _with_vectors(change: Callable[[], object], touched: Mapping[str, ChangedContent]) -> State:
    vectors = {key: vector for one in touched.values() for key, vector in vectors_of(one.wording).items()}
    texts = dict.fromkeys(text for some in _phrasings_of(touched).values() for text in some)
    phrasings = phrasing_vectors(texts)

    def carry_out() -> None:
        change()
        fill_vectors(vectors)
        fill_phrasings(Article.objects.filter(external_id__in=list(touched)), phrasings)

    return State(carry_out)


def _phrasings_of(touched: Mapping[str, ChangedContent]) -> dict[str, tuple[str, ...]]:
    """Return the phrasings of articles before and after a change, by external id."""
    found = {name: list(one.phrasings) for name, one in touched.items()}
    stored = Phrasing.objects.filter(article__external_id__in=list(touched)).order_by("pk")
    for name, text in stored.values_list("article__external_id", "text"):
        found[name].append(text)
    return {name: tuple(dict.fromkeys(texts)) for name, texts in found.items()}


def _nothing() -> State:
    raise AssertionError("only its text is compared, never its state")


def quotation_cases() -> list[tuple[str, Case]]:
    """Return the gates' cases that can judge an answer from the built-in answerer, with the names of their suites."""
    return [(name, case) for name, case in gate_cases() if _suits_quotation(case)]


def _suits_quotation(case: Case) -> bool:
    needs_more = case.history or case.simulate or case.rubric or case.needs_merchant
    says_nothing_of_articles = case.given or case.expects("detects") or case.expects("requests")
    return case.is_must and len(case.steps) == 1 and not (needs_more or says_nothing_of_articles)


def chosen_for(cases: Sequence[tuple[str, Case]], trial: Trial) -> list[tuple[str, Case]]:
    """Return the cases to run: first those that expect the article as a source, then those that match its phrasings,
    then those nearest in meaning.
    """
    naming = [one for one in cases if trial.external_id and trial.external_id in sources_of(one[1])][:MAX_NAMING]
    language = base_language(trial.locale)
    others: dict[str, list[tuple[str, Case]]] = {}  # several cases may ask the same question
    for name, case in cases:
        if (name, case) not in naming:
            others.setdefault(case.asks, []).append((name, case))
    words = {asks: content_stems(asks, language) for asks in others}
    phrased = _phrased(words, trial, language)
    about = content_stems(f"{trial.wording.title}\n{trial.wording.body}", language)
    # Vectors are slow to make, so only the questions that share the most words with the text are compared by meaning.
    shared = sorted((asks for asks in words if asks not in phrased), key=lambda asks: -len(about & words[asks]))
    chosen = nearest(shared[:MAX_READ], trial.wording, question_vectors) or shared[:MAX_NEAREST]
    return [*naming, *(one for asks in (*phrased, *chosen) for one in others[asks])]


def _phrased(words: Mapping[str, set[str]], trial: Trial, language: str) -> list[str]:
    """Return the questions that share enough words with a phrasing to be answered because of it, nearest first."""
    phrasings = [content_stems(text, language) for text in trial.phrasings]
    share = {asks: max((overlap(own, one) for one in phrasings), default=0.0) for asks, own in words.items()}
    same = {text.casefold() for text in trial.phrasings}
    found = [asks for asks in words if share[asks] >= SOME or " ".join(asks.split()).casefold() in same]
    return sorted(found, key=lambda asks: -share[asks])[:MAX_NAMING]


def sources_of(case: Case) -> set[str]:
    """Return the external ids of the articles that a case expects as sources."""
    listed = (case.expect, *(step.expect for step in case.steps))
    return {source for expect in listed for source in expect.get("source", ())}


def asked_by(case: Case, workspace: Workspace) -> PreviewQuestion:
    audience = Audience.SIGNED_IN if case.customer else Audience.PUBLIC
    return PreviewQuestion(case.asks, str(audience), case.locale or workspace.locale)


def failed_grades(case: Case, seen: Quoted) -> list[Grade]:
    answer = seen.answer
    cited: tuple[dict[str, Any], ...] = tuple(span.as_payload() for span in answer.citations)
    reply = Reply(case.asks, answer.text, citations=cited, by="builtin", is_abstention=answer.is_abstention)
    return [grade for grade in grades_of(case, CaseTry((reply,))) if not grade.passed]


def _archive(article_id: UUID) -> None:
    archive(article_id)


def _change_facts(article_id: UUID, facts: Change, phrasings: Phrasings, vectors: Vectors) -> None:
    article = save_draft(article_id, facts)
    if phrasings is not None:
        set_phrasings(article, phrasings)
        fill_phrasings([article], vectors)
