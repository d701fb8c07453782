"""Evaluation runs: questions with known answers are run through the search, and the results are scored by article."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.translation import gettext

from kb.access import Viewer, readable
from kb.errors import InvalidDocument
from kb.evaluation.metrics import CUTOFF, NAMES, Scores, mean, percentile, score
from kb.evaluation.question_files import conversation_of, locale_of, rows_of
from kb.ports import EarlierMessage, conversation_search
from kb.search import Mode, Retrieval, search

# Passages fetched per article, since a long article may have several at the top, and some articles are excluded.
_PASSAGES_PER_ARTICLE = 12


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its known answers. `wanted` and `excluded` are external ids; an excluded article is dropped
    before ranking.

    `earlier_messages` is the conversation before the question, oldest first.
    """

    name: str
    text: str
    wanted: frozenset[str]
    excluded: frozenset[str] = frozenset()
    locale: str | None = None
    earlier_messages: tuple[EarlierMessage, ...] = ()


SearchFunction = Callable[[Question, int], Retrieval]


@dataclass(frozen=True, slots=True)
class RunScores:
    """The scores of a run, in the order of its questions, and the duration of each search."""

    scores: list[Scores]
    took_ms: list[float]

    def facts(self) -> dict[str, Any]:
        means = {name: round(mean(self.scores, name), 4) for name in NAMES}
        times = {f"p{share}_ms": round(percentile(self.took_ms, share / 100), 1) for share in (50, 95)}
        return {"n": len(self.scores), **means, **times}


def read_questions(path: Path) -> list[Question]:
    """Return the questions in a file (`question_files`). Raises InvalidDocument naming the line and the cause."""
    return [_parsed(row, where) for where, row in rows_of(path)]


def missing_articles(questions: Sequence[Question], audience: str) -> list[str]:
    """Return the external ids of articles that `questions` expect but this workspace does not show to `audience`."""
    wanted = frozenset[str]().union(*(question.wanted for question in questions))
    shown = readable(Viewer(audience)).filter(external_id__in=wanted).values_list("external_id", flat=True)
    return sorted(wanted.difference(shown))


def by_mode(mode: Mode, audience: str) -> SearchFunction:
    """Return a search in one mode that ignores the conversation."""
    return lambda question, limit: search(
        question.text, viewer=Viewer(audience, question.locale), limit=limit, mode=mode
    )


def as_asked(audience: str) -> SearchFunction:
    """Return the product's search for a customer's message in its conversation (`kb.ports.ConversationSearch`)."""
    ask = conversation_search()
    return lambda question, limit: ask(
        question.text, viewer=Viewer(audience, question.locale), earlier_messages=question.earlier_messages, limit=limit
    )


def evaluate(
    questions: Sequence[Question],
    find: SearchFunction,
    *,
    limit: int = CUTOFF,
    each: Callable[[int], None] = lambda done: None,
) -> RunScores:
    """Run every question through the search; return the scores of the first `limit` articles. `each` is called with the
    number of questions done.
    """
    run = RunScores([], [])
    for done, question in enumerate(questions, start=1):
        ranked, took_ms = ranking(question, find, limit=limit)
        run.scores.append(score(ranked, question.wanted))
        run.took_ms.append(took_ms)
        each(done)
    return run


def ranking(question: Question, find: SearchFunction, *, limit: int = CUTOFF) -> tuple[list[str], float]:
    """Return the external ids of the first `limit` articles found, best first, and the duration in milliseconds."""
    found = find(question, limit * _PASSAGES_PER_ARTICLE)
    ranked = dict.fromkeys(passage.external_id for passage in found.passages)
    return [article for article in ranked if article not in question.excluded][:limit], found.took_ms


def _parsed(row: dict[str, Any], where: str) -> Question:
    *earlier_messages, last = conversation_of(row, where)
    wanted = frozenset(_ids(row, where, "gold", "gold_docs", "gold_passages"))
    if not wanted:
        raise InvalidDocument(
            gettext("{place} lists no articles. Add a list of external ids under `gold`.").format(place=where)
        )
    excluded = frozenset(_ids(row, where, "exclude", "exclude_docs"))
    return Question(str(row.get("id", where)), last.text, wanted, excluded, locale_of(row), tuple(earlier_messages))


def _ids(row: dict[str, Any], where: str, *names: str) -> Iterator[str]:
    """Yield the ids under the first of `names` that exists; a single id need not be a list."""
    found: object = next((row[name] for name in names if row.get(name) is not None), [])
    for value in found if isinstance(found, list) else [found]:
        if not isinstance(value, str | int):
            problem = gettext("{place}: {field} contains “{value}”, which is not an external id.")
            raise InvalidDocument(problem.format(place=where, field=names[0], value=value))
        yield str(value)
