"""Put known questions to known corpora and fit the confidence on what the search finds.

Reported is only what the numbers were not fitted on: the other half of the questions, and whole corpora left out.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

from kb.access import Viewer
from kb.confidence import Calibration
from kb.errors import InvalidDocument
from kb.fitting import WITH_VECTORS, WITHOUT_VECTORS, Example, answered, area, fit
from kb.models import Audience
from kb.search import evidence_for
from supportbot.accounts.scope import workspace_scope

# Questions of another corpus put to this one: more of them teach nothing new.
MOST_FOREIGN = 60
# Unanswerable questions that look answerable: judged by how well they are told apart, not fitted on.
NEAR_MISS = "near_miss"

Report = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Text:
    """A question of a file; `kind` is what the file calls it."""

    name: str
    text: str
    kind: str
    locale: str | None


@dataclass(frozen=True, slots=True)
class Corpus:
    """A workspace with questions that it answers, and others it does not."""

    slug: str
    workspace_id: UUID
    answerable: Sequence[Text]
    unanswerable: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Foreign:
    """Questions of another field; not put to the corpora `spared`, whose field it partly is."""

    texts: Sequence[Text]
    spared: frozenset[str] = frozenset()


def read_texts(path: Path) -> list[Text]:
    """Return the questions of a `.jsonl` file, whatever it calls their text. Raises InvalidDocument."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        rows = [json.loads(line) for line in lines if line.strip()]
    except (OSError, ValueError) as error:
        raise InvalidDocument(f"{path} cannot be read as JSON lines: {error}.") from error
    return [_parsed(row, f"{path.name}:{number}") for number, row in enumerate(rows, start=1)]


def fit_and_check(
    corpora: Sequence[Corpus], foreign: Sequence[Foreign], checked: Sequence[Corpus] = ()
) -> tuple[dict[str, Any], Report]:
    """Return the calibration as `Recipe.calibration` stores it, and shares on questions it was not fitted on.

    What is returned is fitted on all of `corpora`; those `checked` are only judged by it, by their own questions.
    """
    examples = [example for corpus in corpora for example in _asked(corpus, corpora, foreign)]
    near = [example for example in examples if example.kind == NEAR_MISS]
    examples = [example for example in examples if example.kind != NEAR_MISS]
    seen = [example for example in examples if _is_seen(example)]
    kept = [example for example in examples if not _is_seen(example)]
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
    report |= {f"only checked, {corpus.slug}": _row(full, _asked(corpus, (), ())) for corpus in checked}
    return {"full": _stored(full), "words_only": _stored(words_only)}, report


def _stored(calibration: Calibration) -> dict[str, Any]:
    """Return the JSON form; four digits say all that a few hundred questions can know."""
    weights = {name: round(weight, 4) for name, weight in calibration.weights.items()}
    return {"weights": weights, "bias": round(calibration.bias, 4), "threshold": calibration.threshold}


def _asked(corpus: Corpus, corpora: Sequence[Corpus], foreign: Sequence[Foreign]) -> list[Example]:
    others = [text for other in corpora if other.slug != corpus.slug for text in _of_others(other)]
    others += [text for group in foreign if corpus.slug not in group.spared for text in group.texts]
    with workspace_scope(corpus.workspace_id):
        return [
            _example(corpus.slug, text, is_answerable)
            for texts, is_answerable in ((corpus.answerable, True), ([*corpus.unanswerable, *others], False))
            for text in texts
        ]


def _of_others(other: Corpus) -> list[Text]:
    """Return what is asked of another corpus; what nearly has an answer there is nothing special here."""
    return [replace(text, kind=f"of {other.slug}") for text in (*sampled(other.answerable), *other.unanswerable)]


def _example(slug: str, text: Text, is_answerable: bool) -> Example:
    viewer = Viewer(Audience.INTERNAL, text.locale)
    parts = evidence_for(text.text, viewer=viewer)
    return Example(slug, text.name, text.kind, is_answerable, parts, text.locale or "")


def sampled(texts: Sequence[Text]) -> list[Text]:
    """Return at most MOST_FOREIGN of the texts, always the same ones."""
    return sorted(texts, key=lambda text: hashlib.sha256(text.text.encode()).digest())[:MOST_FOREIGN]


def _is_seen(example: Example) -> bool:
    return hashlib.sha256(example.name.encode()).digest()[0] % 2 == 0


def _by_corpus(examples: Sequence[Example]) -> dict[str, list[Example]]:
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.corpus, []).append(example)
    return groups


def _left_out(examples: Sequence[Example], slug: str) -> Report:
    """Return how a corpus fares that was not fitted on, and each language of it that has answers there."""
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
        "answered": round(answered(calibration, yes), 3),
        "refused": round(1 - answered(calibration, no), 3),
        "auc": round(area(calibration, yes, no), 3),
        "answerable": len(yes),
        "unanswerable": len(no),
    }


def _parsed(row: Any, where: str) -> Text:
    if isinstance(row, dict):
        for name in ("question", "text", "scenario"):
            if isinstance(row.get(name), str) and row[name].strip():
                locale = row.get("locale")
                kind, name_of = str(row.get("kind", "")), str(row.get("id", where))
                return Text(name_of, row[name], kind, locale if isinstance(locale, str) else None)
    raise InvalidDocument(f"{where} has no question. Give it a text.")
