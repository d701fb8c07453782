"""Compares the answers to a real question before and after a change: with the live articles and with a draft.

The built-in answerer gives both answers, so a check costs nothing and its result is reproducible.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import Any, Final

from supportbot.chat.answers import Answer
from supportbot.evals.articles.answer_preview import Quoted
from supportbot.language.figures import figures_in
from supportbot.language.personal_data import without_personal_data
from supportbot.language.sentences import unmarked

CLEARLY: Final = 0.1  # the smallest difference in confidence that counts


class Outcome(StrEnum):
    WORSE = "worse"
    CHANGED = "changed"
    BETTER = "better"
    SAME = "same"


def outcome_of(before: Quoted, after: Quoted, *changed: str) -> Outcome:
    """Return how a change to these articles, given by their external ids, affects an answer.

    Better: the question was not answered before and is now answered from one of these articles, or it is still answered
    from one of them with all figures, and search is clearly more confident. Worse: there is no answer any more, it no
    longer cites these articles, or search is clearly less confident.
    """
    was, is_now = not before.answer.is_abstention, not after.answer.is_abstention
    if _words(before.answer) == _words(after.answer):
        return Outcome.SAME
    if not is_now:
        return Outcome.WORSE
    cited, cites = _cites(before.answer, changed), _cites(after.answer, changed)
    gain = after.confidence - before.confidence
    if (cited and not cites) or (was and gain <= -CLEARLY):
        return Outcome.WORSE
    is_surer = gain >= CLEARLY and _figures(before.answer) <= _figures(after.answer)
    return Outcome.BETTER if cites and (not was or is_surer) else Outcome.CHANGED


def compared_row(question: str, was: Quoted, seen: Quoted, *changed: str) -> dict[str, Any]:
    """Return the stored form of a compared question: its outcome and both answers.

    Personal data is left out, because the editors who see it may not be allowed to read conversations.
    """
    redacted = without_personal_data(question)
    outcome = str(outcome_of(was, seen, *changed))
    return {"question": redacted, "outcome": outcome, "before": shown(was), "after": shown(seen)}


def shown(quoted: Quoted) -> str:
    """Return the text of an answer; "" if there is no answer."""
    return "" if quoted.answer.is_abstention else quoted.answer.text


def _cites(answer: Answer, external_ids: Collection[str]) -> bool:
    return any(span.external_id in external_ids for span in answer.citations)


def _figures(answer: Answer) -> set[str]:
    text = _words(answer)
    return {text[one.start : one.end].strip(".,;:") for one in figures_in(text)}


def _words(answer: Answer) -> str:
    return " ".join(unmarked(answer.text).split()).casefold()
