"""Grades the result of a case against its expectations. Pure, except that `says` needs vectors. A grade
contains facts and no sentences; `result_texts` phrases them for pages and reports.
"""

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from itertools import chain
from typing import Any, Final
from uuid import UUID

import numpy as np
from django.db import Error as AnyDatabaseError

from kb.evaluation.metrics import score
from kb.search import Passage
from supportbot.assistant.checks.doubtful_sentences import DENYING, Doubts
from supportbot.assistant.checks.evidence import Evidence
from supportbot.assistant.vectors_for_checks import vectors_of
from supportbot.errors import SupportBotError
from supportbot.evals.grading.requested_calls import requests_of
from supportbot.evals.grading.value_equality import differences, folded, includes, is_same
from supportbot.evals.runs.case_outcomes import CaseTry, MadeCall, Reply
from supportbot.evals.suite_formats.own_format import Case
from supportbot.language.detection import base_language, detect
from supportbot.language.figures import all_figures_in, known_figures
from supportbot.language.plain_text import plain
from supportbot.language.sentences import sentences_of, unmarked

logger = logging.getLogger(__name__)
_LINE_CHARACTERS: Final = 500
_SHOWN_TEXT: Final = 200  # characters of an answer stored in a grade
_SHOWN_JSON: Final = 300  # characters of a record stored in a grade
FOUND_WITHIN: Final = 5  # how many of the best passages are searched for an expected source
SAID_FROM: Final = 0.7  # the support at which the checks count a claim as confirmed (`checks.evidence.CONFIRMED_FROM`)
VERDICT: Final = "verdict"  # the expected value in a grade if the judge gave no verdict
_NOBODY: Final = UUID(int=0)
_DIFFERENT: Final = frozenset({"figure", "denied"}) | {f"{sign}{name}" for sign in "+-" for name in DENYING}


@dataclass(frozen=True, slots=True)
class Grade:
    """The result of one expectation; `step` is the number of the step that it belongs to, or 0 for the whole case.

    `missing` was expected but absent; `found` was present but not allowed. Otherwise, `wanted` and `got` differ.
    """

    grader: str
    passed: bool
    step: int = 0
    missing: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    wanted: str = ""
    got: str = ""

    def as_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value or name == "passed"}


def grade_from(stored: Mapping[str, Any]) -> Grade:
    listed = {name: tuple(stored[name]) for name in ("missing", "found") if name in stored}
    return Grade(**{**stored, **listed})


@dataclass(frozen=True, slots=True)
class _Graded:
    """What an expectation is checked against: its answer, and the conversation up to that point."""

    last: Reply
    replies: tuple[Reply, ...]
    played: CaseTry
    calls: tuple[MadeCall, ...] = field(default=())

    @property
    def text(self) -> str:
        return words_of(self.last)

    @property
    def everything(self) -> str:
        return "\n".join(map(words_of, self.replies))


def words_of(reply: Reply) -> str:
    """Return an answer's words, without Markdown and the markers of its sources."""
    return plain(unmarked(reply.text))


def grades_of(case: Case, played: CaseTry) -> list[Grade]:
    """Return a grade for each expectation, or a single failed grade if the case ended early."""
    if played.failure:
        return [Grade("answered", False, wanted="answer", got=played.failure)]
    found: list[Grade] = []
    for place, (step, reply) in enumerate(zip(case.steps, played.replies, strict=False), 1):
        seen = _Graded(reply, (reply,), played, reply.calls)
        found += [_grade(name, value, seen, place) for name, value in step.expect.items()]
    unanswered = [place for place, step in enumerate(case.steps, 1) if place > len(played.replies) and step.expect]
    found += [Grade("answered", False, place, wanted="answer", got="handed_over") for place in unanswered]
    whole = _Graded(played.last, played.replies, played, played.calls)
    return found + [_grade(name, value, whole, 0) for name, value in case.expect.items()]


def _grade(name: str, wanted: Any, seen: _Graded, step: int) -> Grade:
    try:
        return GRADERS[name](name, wanted, seen, step)
    except (SupportBotError, AnyDatabaseError):
        raise
    except Exception:
        # The edge of an expectation: otherwise, every attempt to continue the run would fail in the same way.
        logger.exception("evaluation: the expectation %s could not be graded", name)
        return Grade("answered", False, step, wanted="answer", got="ungraded")


def _contains(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    text = folded(seen.text)
    missing = tuple(one for one in wanted if folded(one) not in text)
    return Grade(name, not missing, step, missing=missing)


def _contains_any(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    text = folded(seen.text)
    passed = any(folded(one) in text for one in wanted)
    return Grade(name, passed, step, missing=() if passed else tuple(wanted))


def _mentions(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    text = _without_commas(seen.everything)
    missing = tuple(one for one in wanted if _without_commas(one) not in text)
    return Grade(name, not missing, step, missing=missing)


def _without_commas(text: str) -> str:
    """Return the text without thousands separators: 1,497.65 becomes 1497.65."""
    return folded(text).replace(",", "")


def _not_contains(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    text = folded(seen.everything)
    found = tuple(one for one in wanted if folded(one) in text)
    return Grade(name, not found, step, found=found)


def _equals(name: str, wanted: str, seen: _Graded, step: int) -> Grade:
    passed = _spaced(seen.text) == _spaced(wanted)
    return Grade(name, passed, step, wanted=wanted, got=_shortened(seen.text))


def _not_equals(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    replies = {_spaced(words_of(reply)) for reply in seen.replies}
    found = tuple(one for one in wanted if _spaced(one) in replies)
    return Grade(name, not found, step, found=found)


def _starts_with(name: str, wanted: str, seen: _Graded, step: int) -> Grade:
    passed = _spaced(seen.text).startswith(_spaced(wanted))
    return Grade(name, passed, step, wanted=wanted, got=_shortened(seen.text))


def _not_starts_with(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    replies = [_spaced(words_of(reply)) for reply in seen.replies]
    found = tuple(one for one in wanted if any(text.startswith(_spaced(one)) for text in replies))
    return Grade(name, not found, step, found=found)


def _spaced(text: str) -> str:
    """Return the text with single spaces, because customers do not see the line breaks of Markdown source."""
    return " ".join(text.split())


def _shortened(text: str) -> str:
    text = _spaced(text)
    return text if len(text) <= _SHOWN_TEXT else f"{text[:_SHOWN_TEXT]}…"


def _pattern(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    missing = tuple(one for one in wanted if not _matches(one, seen.text))
    return Grade(name, not missing, step, missing=missing)


def _not_pattern(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    found = tuple(one for one in wanted if _matches(one, seen.everything))
    return Grade(name, not found, step, found=found)


def _matches(pattern: str, text: str) -> bool:
    pieces = chain.from_iterable(
        (line[at : at + _LINE_CHARACTERS] for at in range(0, len(line), _LINE_CHARACTERS)) for line in text.splitlines()
    )
    return any(re.search(pattern, piece) for piece in pieces)


def _figures(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    missing = tuple(one for one in wanted if not _has_figures(one, seen.text))
    return Grade(name, not missing, step, missing=missing)


def _not_figures(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    found = tuple(one for one in wanted if _has_figures(one, seen.everything))
    return Grade(name, not found, step, found=found)


def _has_figures(wanted: str, text: str) -> bool:
    """Return whether the text contains these figures, however they are expressed: "two weeks" matches "14 days"."""
    known = known_figures([text])
    return all(not known.readings.isdisjoint(one.readings) for one in all_figures_in(wanted, "en"))


def _source(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    cited = seen.last.sources
    passed = not set(wanted).isdisjoint(cited)
    return Grade(name, passed, step, wanted=", ".join(wanted), got=", ".join(dict.fromkeys(cited)))


def _finds(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    found = [str(passage.get("external_id", "")) for passage in seen.last.passages][:FOUND_WITHIN]
    passed = not set(wanted).isdisjoint(found)
    return Grade(name, passed, step, wanted=", ".join(wanted), got=", ".join(dict.fromkeys(filter(None, found))))


def _hit5(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    ranked = next((one.ranked for one in reversed(seen.replies) if not one.pressed), ())  # of the last message
    return Grade(name, score(ranked, wanted).hit5 == 1, step, wanted=", ".join(wanted), got=", ".join(ranked[:5]))


def _quotes(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    passed = any(quotes_one_of(str(one.get("quote", "")), map(bare, wanted)) for one in seen.last.citations)
    return Grade(name, passed, step, missing=() if passed else tuple(wanted))


def quotes_one_of(quote: str, sentences: Iterable[str]) -> bool:
    """Return whether a quote equals, contains or is part of one of these sentences, which must be `bare`."""
    words = bare(quote)
    return any(words and (words in one or one in words) for one in sentences)


def bare(text: str) -> str:
    """Return a sentence's words without markup and link targets."""
    return " ".join(re.findall(r"\w+", re.sub(r"\]\([^)]*\)", "]", text).lower()))


def _detects(name: str, wanted: bool | str, seen: _Graded, step: int) -> Grade:
    return _named(name, wanted, list(seen.last.detected), step)


def _requests(name: str, wanted: Any, seen: _Graded, step: int) -> Grade:
    requests, made = requests_of(wanted), [(call.name, call.arguments) for call in seen.calls]
    expected = "; ".join(_written(*call, None) for call in requests.calls) or "false"
    got = "; ".join(_written(*call, None) for call in made) or _shortened(seen.text)
    wanted_words = f"asks: {requests.asks}" if requests.asks else expected
    return Grade(name, requests.are_met(made, seen.last.text), step, wanted=wanted_words, got=got)


def _answerable(name: str, wanted: bool, seen: _Graded, step: int) -> Grade:
    return _flag(name, wanted, bool(seen.last.is_answerable), step)


def _touched(name: str, wanted: bool, seen: _Graded, step: int) -> Grade:
    return _flag(name, wanted, seen.last.is_touched, step)


def _cites(name: str, wanted: bool, seen: _Graded, step: int) -> Grade:
    return _flag(name, wanted, bool(seen.last.citations), step)


def _says(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    missing = tuple(one for one in wanted if not says(seen.text, one))
    return Grade(name, not missing, step, missing=missing)


def _never_says(name: str, wanted: Sequence[str], seen: _Graded, step: int) -> Grade:
    found = tuple(one for one in wanted if any(says_in_a_sentence(words_of(reply), one) for reply in seen.replies))
    return Grade(name, not found, step, found=found)


def _abstains(name: str, wanted: bool, seen: _Graded, step: int) -> Grade:
    return _flag(name, wanted, seen.last.is_abstention, step)


def _hands_over(name: str, wanted: bool, seen: _Graded, step: int) -> Grade:
    return _flag(name, wanted, any(call.end == "handed_over" for call in seen.calls), step)


def _flag(name: str, wanted: bool, got: bool, step: int) -> Grade:
    return Grade(name, wanted == got, step, wanted=_yes(wanted), got=_yes(got))


def _yes(value: bool) -> str:
    return "true" if value else "false"


def _proposes(name: str, wanted: Any, seen: _Graded, step: int) -> Grade:
    proposed = [call for call in seen.calls if call.end == "proposed"]
    got = "; ".join(map(_shown, proposed)) or "false"
    if wanted is False:
        return Grade(name, not proposed, step, wanted="false", got=got)
    passed = any(
        call.name == wanted["action"]
        and includes(call.arguments, wanted["arguments"])
        and call.approvals == wanted.get("approvals", call.approvals)
        for call in proposed
    )
    shown = _written(wanted["action"], wanted["arguments"], wanted.get("approvals"))
    return Grade(name, passed, step, wanted=shown, got=got)


def _looks_up(name: str, wanted: bool | str, seen: _Graded, step: int) -> Grade:
    made = [call.name for call in seen.calls if call.end == "answered"]
    return _named(name, wanted, made, step)


def _refuses(name: str, wanted: bool | str, seen: _Graded, step: int) -> Grade:
    return _named(name, wanted, [call.reason for call in seen.calls if call.end == "refused"], step)


def _named(name: str, wanted: bool | str, made: Sequence[str], step: int) -> Grade:
    passed = wanted in made if isinstance(wanted, str) else bool(made) == wanted
    shown = wanted if isinstance(wanted, str) else _yes(wanted)
    return Grade(name, passed, step, wanted=shown, got=", ".join(made) or "false")


def _records(name: str, wanted: Sequence[Mapping[str, Any]], seen: _Graded, step: int) -> Grade:
    got = seen.played.records
    if got is None:
        return Grade(name, False, step, wanted="records", got="no_merchant")
    if any(is_same(state, got) for state in wanted):
        return Grade(name, True, step)
    differing = next(differences(wanted[0], got), ("", None, None))
    place, expected, found = differing[0], _as_json(differing[1]), _as_json(differing[2])
    return Grade(name, False, step, wanted=f"{place}: {expected}", got=f"{place}: {found}")


def _as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)[:_SHOWN_JSON]


def _language(name: str, wanted: str, seen: _Graded, step: int) -> Grade:
    got = detect(seen.text, base_language(wanted))
    return Grade(name, got == base_language(wanted), step, wanted=wanted, got=got)


def _support(name: str, wanted: float, seen: _Graded, step: int) -> Grade:
    score = seen.last.support
    passed = score is not None and score >= wanted
    return Grade(name, passed, step, wanted=f"≥ {wanted:g}", got="–" if score is None else f"{score:.2f}")


def _seconds(name: str, wanted: float, seen: _Graded, step: int) -> Grade:
    slowest = max((reply.took_ms for reply in seen.replies), default=0.0) / 1000
    return Grade(name, slowest <= wanted, step, wanted=f"≤ {wanted:g}", got=f"{slowest:.2f}")


def _cost(name: str, wanted: float, seen: _Graded, step: int) -> Grade:
    cost = Decimal(seen.played.cost or 0)
    return Grade(name, cost <= Decimal(str(wanted)), step, wanted=f"≤ {wanted:g}", got=f"{cost:f}")


def _judge(name: str, wanted: str, seen: _Graded, step: int) -> Grade:
    judgement = seen.played.judgement
    if judgement is None or judgement.is_good is None:
        return Grade(name, False, step, wanted=VERDICT, got=judgement.words if judgement else "none")
    return Grade(name, judgement.is_good, step, wanted="good", got=judgement.words)


def _shown(call: MadeCall) -> str:
    return _written(call.name, call.arguments, call.approvals or None)


def _written(name: str, arguments: Mapping[str, Any], approvals: int | None) -> str:
    shown = f" {json.dumps(arguments, ensure_ascii=False, default=str)}" if arguments else ""
    return f"{name}{shown}" if approvals is None else f"{name}{shown}, approvals: {approvals}"


Grader = Callable[[str, Any, _Graded, int], Grade]
GRADERS: Final[Mapping[str, Grader]] = {
    "contains": _contains,
    "contains_any": _contains_any,
    "mentions": _mentions,
    "not_contains": _not_contains,
    "equals": _equals,
    "not_equals": _not_equals,
    "starts_with": _starts_with,
    "not_starts_with": _not_starts_with,
    "pattern": _pattern,
    "not_pattern": _not_pattern,
    "figures": _figures,
    "not_figures": _not_figures,
    "source": _source,
    "finds": _finds,
    "hit5": _hit5,
    "quotes": _quotes,
    "cites": _cites,
    "says": _says,
    "never_says": _never_says,
    "abstains": _abstains,
    "hands_over": _hands_over,
    "proposes": _proposes,
    "looks_up": _looks_up,
    "refuses": _refuses,
    "records": _records,
    "language": _language,
    "detects": _detects,
    "requests": _requests,
    "answerable": _answerable,
    "touched": _touched,
    "support": _support,
    "seconds": _seconds,
    "cost": _cost,
    "judge": _judge,
}


def says(text: str, fact: str) -> bool:
    """Return whether an answer states a fact."""
    if not text.strip():
        return False
    language = detect(fact, "en")
    evidence = Evidence([_as_passage(text)], language=language)
    if not all(map(evidence.figures.holds, all_figures_in(fact, language))):
        return False
    found = Doubts([text], language=language).features(fact) or {}
    if found.get("opposite") or not _DIFFERENT.isdisjoint(found):
        return False
    score = evidence.support(fact).score or 0.0
    return score >= SAID_FROM or (evidence.support(fact, _similarity(evidence, fact)).score or 0.0) >= SAID_FROM


def says_in_a_sentence(text: str, fact: str) -> bool:
    """Return whether a single sentence of an answer states a fact; words scattered over several sentences do not
    count.
    """
    return any(says(sentence, fact) for sentence in sentences_of(text))


def _similarity(evidence: Evidence, fact: str) -> float | None:
    """Return the cosine similarity of a fact and the nearest window of the answer; None without vectors."""
    windows = evidence.windows
    vectors = vectors_of([fact, *windows])
    if not vectors or not windows:
        return None
    return max(float(np.dot(vectors[fact], vectors[window])) for window in windows)


def _as_passage(text: str) -> Passage:
    return Passage(
        article_id=_NOBODY, external_id="", title="", url="", locale="", revision=1, heading="", text=text, start=0,
        end=len(text), score=1.0, similarity=None, chunk_id=_NOBODY,
    )  # fmt: skip
