"""Calibrating the confidence: known questions are searched for in known corpora, and the confidence is fitted to the
results.

The report covers only held-out data: the other half of the questions, and entire corpora left out of the fit.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from django.utils.translation import gettext, gettext_noop

from kb.access import Viewer
from kb.errors import TooFewQuestions
from kb.evaluation.confidence_fitting import WITH_VECTORS, WITHOUT_VECTORS, Example, answered_share, auc, fit
from kb.evaluation.question_files import locale_of, rows_of, text_of
from kb.indexing.embedding import Progress, no_progress
from kb.models import Audience
from kb.search import evidence_for, search
from kb.search.confidence import Calibration
from supportbot.accounts.scope import workspace_scope

# How many questions from another corpus are searched for in this one; more would not help.
MAX_FOREIGN = 60
# Unanswerable questions that look answerable; used for the report, not for fitting.
NEAR_MISS = "near_miss"

# The message if questions with an answer (True) or questions without an answer (False) are missing.
_TOO_FEW = {
    True: gettext_noop(
        "{corpus} has too few questions with an answer. Use about twenty: half of them are for fitting, half for "
        "checking."
    ),
    False: gettext_noop(
        "{corpus} has too few questions without an answer. Use about twenty: half of them are for fitting, half for "
        "checking. They come from the corpus's second file, from another corpus, or from --foreign."
    ),
}

Report = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Text:
    """A question from a file; `kind` is the file's own label."""

    name: str
    text: str
    kind: str
    locale: str | None


@dataclass(frozen=True, slots=True)
class Corpus:
    """A workspace with questions that it answers and questions that it does not."""

    slug: str
    workspace_id: UUID
    answerable: Sequence[Text]
    unanswerable: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Trial:
    """A question for a corpus, and whether the corpus answers it."""

    corpus: Corpus
    text: Text
    is_answerable: bool


@dataclass(frozen=True, slots=True)
class ForeignQuestions:
    """Questions about other subjects; not used for the corpora in `spared`, which answer some of them."""

    texts: Sequence[Text]
    spared: frozenset[str] = frozenset()


def read_texts(path: Path) -> list[Text]:
    """Return the questions in a file (`question_files`). Raises InvalidDocument naming the line and the cause."""
    return [
        Text(str(row.get("id", where)), text_of(row, where), str(row.get("kind", "")), locale_of(row))
        for where, row in rows_of(path)
    ]


def is_answered(text: str, locale: str | None) -> bool:
    """Return whether the search expects to answer a question, according to the calibration in use. Once a report's
    calibration is stored, this is true for the questions that the report counts as answered.
    """
    return search(text, viewer=Viewer(Audience.INTERNAL, locale)).is_answerable


def fit_and_check(
    corpora: Sequence[Corpus],
    foreign: Sequence[ForeignQuestions],
    checked: Sequence[Corpus] = (),
    *,
    progress: Progress = no_progress,
) -> tuple[dict[str, Any], Report]:
    """Return the calibration in the format of `Recipe.calibration`, and a report on held-out questions.

    The calibration is fitted on all of `corpora`; those in `checked` are only evaluated with their own questions.
    Raises TooFewQuestions before the first search.
    """
    to_fit = [asked for corpus in corpora for asked in _asked(corpus, corpora, foreign)]
    to_check = [asked for corpus in checked for asked in _asked(corpus, (), ())]
    _check_halves(corpora, to_fit)
    total = len(to_fit) + len(to_check)
    examples = _run_trials(to_fit, lambda done: progress(done, total))
    judged = _run_trials(to_check, lambda done: progress(len(to_fit) + done, total))
    near = [example for example in examples if example.kind == NEAR_MISS]
    examples = [example for example in examples if example.kind != NEAR_MISS]
    seen = [example for example in examples if _is_seen(example.name)]
    kept = [example for example in examples if not _is_seen(example.name)]
    full, words_only = fit(seen, WITH_VECTORS), fit(seen, WITHOUT_VECTORS)
    report = {f"other half, {slug}": _row(full, rows) for slug, rows in _by_corpus(kept).items()}
    report |= {f"words only, {slug}": _row(words_only, rows) for slug, rows in _by_corpus(kept).items()}
    if len(corpora) > 2:
        for slug in _by_corpus(examples):
            report |= _left_out(examples, slug)
    if near:
        home = {example.corpus for example in near}
        answerable = [example for example in kept if example.is_answerable and example.corpus in home]
        report["near misses"] = _row(full, answerable + near)
    full, words_only = fit(examples, WITH_VECTORS), fit(examples, WITHOUT_VECTORS)
    report |= {f"only checked, {slug}": _row(full, rows) for slug, rows in _by_corpus(judged).items()}
    return {"full": _stored(full), "words_only": _stored(words_only)}, report


def _stored(calibration: Calibration) -> dict[str, Any]:
    """Return the JSON form, with numbers rounded to four digits, since a few hundred questions do not justify more."""
    weights = {name: round(weight, 4) for name, weight in calibration.weights.items()}
    return {"weights": weights, "bias": round(calibration.bias, 4), "threshold": calibration.threshold}


def _asked(corpus: Corpus, corpora: Sequence[Corpus], foreign: Sequence[ForeignQuestions]) -> list[Trial]:
    others = [text for other in corpora if other.slug != corpus.slug for text in _of_others(other)]
    others += [text for group in foreign if corpus.slug not in group.spared for text in group.texts]
    return [
        Trial(corpus, text, is_answerable)
        for texts, is_answerable in ((corpus.answerable, True), ([*corpus.unanswerable, *others], False))
        for text in texts
    ]


def _check_halves(corpora: Sequence[Corpus], trials: Sequence[Trial]) -> None:
    """Raise TooFewQuestions unless each half of each corpus has both questions with and questions without an answer."""
    found = {
        (row.corpus.slug, row.is_answerable, _is_seen(row.text.name)) for row in trials if row.text.kind != NEAR_MISS
    }
    for corpus in corpora:
        for is_answerable, problem in _TOO_FEW.items():
            if not {(corpus.slug, is_answerable, half) for half in (True, False)} <= found:
                raise TooFewQuestions(gettext(problem).format(corpus=corpus.slug))


def _of_others(other: Corpus) -> list[Text]:
    """Return another corpus's questions with a common label, since its near misses are not near misses here."""
    return [replace(text, kind=f"of {other.slug}") for text in (*sample(other.answerable), *other.unanswerable)]


def _run_trials(trials: Sequence[Trial], each: Callable[[int], None]) -> list[Example]:
    """Return the evidence for all trials; `each` is called with the number done."""
    examples = []
    for done, row in enumerate(trials, start=1):
        with workspace_scope(row.corpus.workspace_id):
            parts = evidence_for(row.text.text, viewer=Viewer(Audience.INTERNAL, row.text.locale))
        text = row.text
        examples.append(Example(row.corpus.slug, text.name, text.kind, row.is_answerable, parts, text.locale or ""))
        each(done)
    return examples


def sample(texts: Sequence[Text]) -> list[Text]:
    """Return at most MAX_FOREIGN of the texts, always the same ones."""
    return sorted(texts, key=lambda text: hashlib.sha256(text.text.encode()).digest())[:MAX_FOREIGN]


def _is_seen(name: str) -> bool:
    """Return whether the question with this name is used for fitting; the other questions are used to check the fit."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 0


def _by_corpus(examples: Sequence[Example]) -> dict[str, list[Example]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.corpus, []).append(example)
    return groups


def _left_out(examples: Sequence[Example], slug: str) -> Report:
    """Return the results for a corpus left out of the fit, and for each of its languages."""
    calibration = fit([example for example in examples if example.corpus != slug], WITH_VECTORS)
    own = [example for example in examples if example.corpus == slug]
    languages = sorted({example.locale for example in own if example.is_answerable and example.locale})
    report = {f"left out, {slug}": _row(calibration, own)}
    for locale in languages:
        report[f"left out, {slug} ({locale})"] = _row(calibration, [row for row in own if row.locale == locale])
    return report


def _row(calibration: Calibration, examples: Sequence[Example]) -> dict[str, float]:
    yes = [example for example in examples if example.is_answerable]
    no = [example for example in examples if not example.is_answerable]
    return {
        "answered": round(answered_share(calibration, yes), 3),
        "refused": round(1 - answered_share(calibration, no), 3),
        "auc": round(auc(calibration, yes, no), 3),
        "answerable": len(yes),
        "unanswerable": len(no),
    }
