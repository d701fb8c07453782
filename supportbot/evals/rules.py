"""Action rules at the gates: a case about actions that must pass, passes under the rules in force and would fail.

The built-in answerer plays those cases of the gate suites that expect a proposal or a refusal. They look up orders as a
customer's chat does; nothing is proposed, stored or sent.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Final

from actions.policies import trying
from actions.policy import Rules
from supportbot.accounts.models import Workspace
from supportbot.evals.documents import Case
from supportbot.evals.graders import grades_of
from supportbot.evals.outcomes import Played
from supportbot.evals.playing import play
from supportbot.evals.selectors import gate_cases
from supportbot.evals.wording import why
from supportbot.llm import loop_thread
from supportbot.llm.connections import BUILTIN
from supportbot.llm.occasion import evaluating
from supportbot.releases.document import stored
from supportbot.releases.models import Release
from supportbot.releases.selectors import live_release, using

MOST: Final = 30  # a person waits for them
_ABOUT_ACTIONS: Final = ("proposes", "refuses")


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that passes under the rules in force and would fail under others."""

    name: str  # "suite: case"
    question: str
    reasons: tuple[str, ...]


def broken_by(rules: Rules, action: str, *, workspace: Workspace) -> list[Failure]:
    """Return the gates' cases about actions that would fail under other rules for an action.

    Raises GateMissing if a suite does not exist.
    """
    cases = [(name, case) for name, case in gate_cases() if case.is_must and _is_about_actions(case)][:MOST]
    after = _failures([case for _, case in cases], workspace, rules, action)
    failed = [(name, case, reasons) for (name, case), reasons in zip(cases, after, strict=True) if reasons]
    before = _failures([case for _, case, _ in failed], workspace)
    return [
        Failure(f"{name}: {case.key}", case.asks, reasons)
        for (name, case, reasons), was in zip(failed, before, strict=True)
        if not was
    ]


def _is_about_actions(case: Case) -> bool:
    expected = (case.expect, *(step.expect for step in case.steps))
    return any(one.get(name) for one in expected for name in _ABOUT_ACTIONS) and not (case.simulate or case.rubric)


def _failures(
    cases: Iterable[Case], workspace: Workspace, rules: Rules | None = None, action: str = ""
) -> list[tuple[str, ...]]:
    """Return for each case why it fails, under the rules in force or under others."""
    tried = trying(action, rules) if rules is not None else nullcontext()
    with using(_answered_without_a_model()), tried, evaluating():
        played = loop_thread.run(_play(list(cases), workspace))
    return [
        tuple(why(grade) for grade in grades_of(case, one) if not grade.passed)
        for case, one in zip(cases, played, strict=True)
    ]


async def _play(cases: list[Case], workspace: Workspace) -> list[Played]:
    return [(await play(workspace, case))[0] for case in cases]


def _answered_without_a_model() -> Release:
    live = live_release()
    live.document = stored(replace(live.contents, routes={**live.contents.routes, "answer": (BUILTIN,)}))
    return live
