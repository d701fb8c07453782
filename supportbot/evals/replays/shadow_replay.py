"""Shadow replay: compares the answers of a release and of the live release to customers' questions from the last few
days.

Both releases answer each question as the first message of a conversation with the same customer, without side effects
(`simulated_conversation`). Differences are ranked by their effect on the customer. `replay_worker` stores the answers
for the console.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from django.utils.timezone import now

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.builtin.intents import courtesy
from supportbot.chat.models import Audience, Message, Source
from supportbot.evals.runs.case_outcomes import CaseTry, MadeCall
from supportbot.evals.runs.case_runner import run_case
from supportbot.evals.suite_formats.own_format import Case, Step
from supportbot.language.figures import all_figures_in
from supportbot.language.normalise import normalised
from supportbot.language.sentences import unmarked
from supportbot.llm import gateway
from supportbot.llm.budget import evaluating
from supportbot.releases.models import Release
from supportbot.releases.selectors import using

MOST_CHARACTERS: Final = 2_000
MOST_DAYS: Final = 60
MOST_QUESTIONS: Final = 1_000
MOST_READ: Final = 20_000  # conversations read to count how often a question was asked
# The effects of differences on the customer, worst first.
KINDS: Final = ("lost_answer", "action", "handed_over", "figures", "sources", "gained_answer", "words")


@dataclass(frozen=True, slots=True)
class Difference:
    """A question that the releases answer differently; `kinds` contains values of `KINDS`, worst first."""

    question: str
    kinds: tuple[str, ...]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CustomerQuestion:
    """A customer's question as a case, with the last customer who asked it and the number of times it was asked."""

    case: Case
    customer_id: UUID
    conversation_id: UUID
    times: int = 1


@dataclass(frozen=True, slots=True)
class Replayed:
    """The result of a replay. `unplayed` counts questions that one of the releases could not answer."""

    questions: int
    unplayed: int
    differences: tuple[Difference, ...]


def replay(live: Release, candidate: Release, *, days: int, most: int) -> Replayed:
    """Return how the candidate's answers differ from those of the live release. Raises ModelUnreachable if a model is
    unavailable.
    """
    cases = [one.case for one in real_questions(days, most)]
    pairs = list(zip(cases, *run_with_both(live, candidate, cases), strict=True))
    played = [(case, one, other) for case, one, other in pairs if not (one.failure or other.failure)]
    found = [
        Difference(case.asks, kinds, _words(one), _words(other))
        for case, one, other in played
        if (kinds := kinds_of(one, other))
    ]
    ranked = sorted(found, key=lambda one: rank(one.kinds))
    return Replayed(len(cases), len(pairs) - len(played), tuple(ranked))


def rank(kinds: Sequence[str]) -> int:
    """Return the rank of a difference, from 0 for the worst; "no difference" comes last."""
    return KINDS.index(kinds[0]) if kinds else len(KINDS)


def real_questions(days: int, most: int) -> list[CustomerQuestion]:
    """Return the first questions of conversations from the last `days` days, newest first, at most `most`. A question
    that was asked several times appears once, for the last customer who asked it.

    Signed-in customers may get more information than visitors, so a question appears twice if both have asked it.
    """
    questions = Message.objects.filter(
        source=Source.CUSTOMER, audience=Audience.EVERYONE, courtesy="", created_at__gte=now() - timedelta(days=days)
    )
    first = questions.order_by("conversation_id", "seq").distinct("conversation_id")
    rows = Message.objects.filter(pk__in=first.values("pk")).select_related("conversation__customer")
    found: dict[tuple[str, bool], CustomerQuestion] = {}
    for row in rows.order_by("-created_at", "-pk")[:MOST_READ].iterator(chunk_size=200):
        chat, text = row.conversation, normalised(row.text)[:MOST_CHARACTERS].strip()
        customer = chat.customer.external_id or ""
        key = text.casefold(), bool(customer)
        if key in found:
            found[key] = replace(found[key], times=found[key].times + 1)
        elif text and len(found) < most and not courtesy(text):
            case = Case(str(row.pk), (Step(text),), customer=customer, locale=chat.locale)
            found[key] = CustomerQuestion(case, chat.customer_id, chat.pk)
    return list(found.values())


def run_with_both(live: Release, candidate: Release, cases: Sequence[Case]) -> tuple[list[CaseTry], list[CaseTry]]:
    """Return the answers of both releases to the same questions. Raises ModelUnreachable if a model is unavailable."""
    return _played(live, cases), _played(candidate, cases)


def _played(release: Release, cases: Sequence[Case]) -> list[CaseTry]:
    workspace = Workspace.objects.get(pk=current_workspace_id())

    async def ask_all() -> list[CaseTry]:
        try:
            return [(await run_case(workspace, case))[0] for case in cases]
        finally:
            await gateway.close()

    with using(release), evaluating():
        return asyncio.run(ask_all())


def kinds_of(before: CaseTry, after: CaseTry) -> tuple[str, ...]:
    """Return how the answer `after` differs from `before`, worst first; () if they are the same."""
    one, other = before.last, after.last
    differs = {
        "lost_answer": other.is_abstention and not one.is_abstention,
        "action": _acts(before.calls) != _acts(after.calls),
        "handed_over": _hands_over(before.calls) != _hands_over(after.calls),
        "figures": _figures(one.text) != _figures(other.text),
        "sources": set(one.sources) != set(other.sources),
        "gained_answer": one.is_abstention and not other.is_abstention,
        "words": _words(before) != _words(after),
    }
    return tuple(kind for kind in KINDS if differs[kind])


def _acts(calls: Sequence[MadeCall]) -> set[tuple[str, str, str, int]]:
    return {(one.name, one.end, one.reason, one.approvals) for one in calls if one.end in ("proposed", "refused")}


def _hands_over(calls: Sequence[MadeCall]) -> bool:
    return any(one.end == "handed_over" for one in calls)


def _figures(text: str) -> set[frozenset[tuple[str, str]]]:
    return {frozenset((str(unit), str(value)) for unit, value in one.readings) for one in all_figures_in(text, "en")}


def _words(played: CaseTry) -> str:
    return " ".join(unmarked(played.last.text).split())
