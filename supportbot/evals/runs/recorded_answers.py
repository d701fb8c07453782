"""Answers that are part of a case. The assistant writes nothing; the checks treat a given answer like a model's. Pure,
apart from the vectors.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final
from uuid import UUID, uuid5

from django.utils.translation import gettext

from kb.search import Passage
from supportbot.assistant.checked_stream import CheckedStream
from supportbot.assistant.checks.evidence import Strictness, mean_support
from supportbot.assistant.vectors_for_checks import vectors_of
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.runs.case_outcomes import Reply
from supportbot.evals.suite_formats.document_values import mapping_of, only, placed, text_of
from supportbot.language.detection import base_language, detect
from supportbot.language.sentences import marked_sources, sentences_of

RECORDED_ANSWER_KEYS: Final = frozenset({"answer", "passages", "lookups", "ledger"})
PAGE_KEYS: Final = frozenset({"title", "text", "locale"})
BY: Final = "given"
MOST: Final = 30  # the maximum number of passages, and of look-ups or actions
PIECE_CHARACTERS: Final = 6  # about the length of a token; fixed, so the result does not depend on how a model streams
_NAMESPACE: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    text: str
    locale: str = ""


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """The answer, the passages and look-ups that it is based on, and the actions recorded in the ledger."""

    answer: str
    passages: tuple[Page, ...] = ()
    lookups: tuple[str, ...] = ()
    ledger: tuple[str, ...] = ()


def recorded_answer_of(value: Any, where: str) -> RecordedAnswer:
    """Return the answer contained in a case. Raises InvalidSuite."""
    here = placed(where, "given")
    found = mapping_of(value, here)
    only(found, RECORDED_ANSWER_KEYS, here)
    lists = {name: found.get(name, []) for name in ("passages", "lookups", "ledger")}
    for name, rows in lists.items():
        if not isinstance(rows, list) or len(rows) > MOST:
            raise InvalidSuite(placed(here, gettext("`{key}` must be a list of strings.").format(key=name)))
    texts = {
        name: tuple(text_of({name: row}, name, here, needed=True) for row in lists[name])
        for name in ("lookups", "ledger")
    }
    answer = text_of(found, "answer", here, needed=True)
    return RecordedAnswer(answer, tuple(_page(row, placed(here, "passages")) for row in lists["passages"]), **texts)


def _page(row: Any, where: str) -> Page:
    found = mapping_of(row, where)
    only(found, PAGE_KEYS, where)
    title, text = text_of(found, "title", where), text_of(found, "text", where, needed=True)
    return Page(title, text, text_of(found, "locale", where))


def recorded_answer_document(recorded: RecordedAnswer | None) -> Mapping[str, Any]:
    """Return a given answer in the format of a suite's document."""
    if recorded is None:
        return {}
    pages = [{name: text for name, text in asdict(page).items() if text} for page in recorded.passages]
    written = {
        "answer": recorded.answer,
        "passages": pages,
        "lookups": [*recorded.lookups],
        "ledger": [*recorded.ledger],
    }
    return {name: value for name, value in written.items() if value}


def checked(
    recorded: RecordedAnswer, customer_messages: Sequence[str], *, locale: str, strictness: Strictness
) -> Reply:
    """Return the answer that customers would see after these messages, in a workspace with this strictness."""
    language = base_language(locale) if locale else detect(recorded.answer, "en")
    marked = replace(recorded, answer=with_markers(recorded.answer, len(recorded.passages)))
    finished = streamed(marked, customer_messages, language=language, strictness=strictness)
    answer = finished.answer()
    return Reply(
        customer_messages[-1],
        answer.text,
        citations=tuple(span.as_payload() for span in answer.citations),
        passages=tuple(
            {"external_id": str(place), "title": page.title, "text": page.text}
            for place, page in enumerate(recorded.passages, 1)
        ),
        withheld=tuple(asdict(one) for one in answer.withheld),
        by=BY,
        is_abstention=answer.is_abstention,
        is_confirmed=answer.is_confirmed,
        support=mean_support(finished.sentences),
    )


def streamed(
    given: RecordedAnswer,
    customer_messages: Sequence[str],
    *,
    language: str,
    strictness: Strictness,
    settle: Callable[[CheckedStream], None] | None = None,
) -> CheckedStream:
    """Stream a given answer through the checks as in a turn, with its own markers, and return the finished stream.
    `settle` provides the vectors that it needs.
    """
    passages = [passage_of(place, page) for place, page in enumerate(given.passages, 1)]
    answer = CheckedStream(
        passages,
        language,
        customer_messages,
        looked_up=given.lookups,
        done=given.ledger,
        strictness=strictness,
        looks_twice=True,
    )
    settle = settle or _weigh
    for begin in range(0, len(given.answer), PIECE_CHARACTERS):
        answer.write(given.answer[begin : begin + PIECE_CHARACTERS])
        settle(answer)
    answer.finish()
    settle(answer)
    return answer


def _weigh(answer: CheckedStream) -> None:
    while texts := answer.unsure:
        answer.weigh(vectors_of(texts))


def passage_of(place: int, page: Page) -> Passage:
    name = uuid5(_NAMESPACE, f"{place}")
    return Passage(
        article_id=name, external_id=str(place), title=page.title, url="", heading="", revision=1, locale=page.locale,
        text=page.text, start=0, end=len(page.text), score=1.0, similarity=None, chunk_id=name,
    )  # fmt: skip


def with_markers(answer: str, passages: int) -> str:
    """Return the answer; if it has no markers, add the markers of all passages after each sentence."""
    if not passages or any(marked_sources(sentence) for sentence in sentences_of(answer)):
        return answer
    return with_all_markers(answer, passages)


def with_all_markers(answer: str, passages: int) -> str:
    """Return the answer with the markers of all passages after each sentence."""
    every = "".join(f"[{number}]" for number in range(1, passages + 1))
    marked = ((sentence.rstrip(), sentence[len(sentence.rstrip()) :]) for sentence in sentences_of(answer))
    return "".join(f"{words} {every}{blanks}" if words else blanks for words, blanks in marked)
