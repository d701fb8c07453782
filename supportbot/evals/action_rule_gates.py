"""Tests new action rules against the gates: finds the `must` cases about actions that would fail under the rules.

Cases that already fail today count, too. Otherwise, people could tighten the rules until a case fails and then loosen
them as far as they like. The built-in answerer runs those cases of the gate suites that expect a proposal or a refusal.
Orders are looked up as in a customer's chat, but nothing is proposed, stored or sent.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from actions.policy_store import trying
from actions.registry import all_actions
from actions.requests.rule_decision import Rules
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.evals.grading.graders import grades_of
from supportbot.evals.result_texts import why
from supportbot.evals.runs.case_outcomes import CaseTry
from supportbot.evals.runs.case_runner import run_case
from supportbot.evals.selectors import gate_cases
from supportbot.evals.suite_formats.own_format import Case
from supportbot.llm import loop_thread
from supportbot.llm.budget import evaluating
from supportbot.llm.release_routes import BUILTIN
from supportbot.releases.document import stored
from supportbot.releases.errors import GateMissing
from supportbot.releases.models import Release
from supportbot.releases.selectors import gates, live_release, using

MAX_SECONDS: Final = 20.0  # a person is waiting
_ABOUT_ACTIONS: Final = ("proposes", "refuses")


@dataclass(frozen=True, slots=True)
class Failure:
    """A case that would fail under the rules."""

    name: str  # "suite: case"
    question: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RuleVerdict:
    """The gates' verdict on rules: the cases that would fail, and the names of those not judged in time."""

    failures: tuple[Failure, ...]
    unjudged: tuple[str, ...]


def judged(rules: Rules, action: str, *, workspace: Workspace, seconds: float | None = None) -> RuleVerdict:
    """Return the gates' verdict on new rules for an action. Without `seconds`, there is no time limit.

    Raises GateMissing if a suite does not exist.
    """
    ends = None if seconds is None else monotonic() + seconds
    cases = [(name, case) for name, case in gate_cases() if case.is_must and _is_about_actions(case)]
    found = _reasons([case for _, case in cases], workspace, ends, rules, action)
    failures = [
        Failure(f"{name}: {case.key}", case.asks, reasons)
        for (name, case), reasons in zip(cases, found, strict=False)
        if reasons
    ]
    return RuleVerdict(tuple(failures), tuple(f"{name}: {case.key}" for name, case in cases[len(found) :]))


def refusals(rules: Rules, action: str) -> list[str]:
    """Return the names and reasons of the gates' cases that would fail under new rules. The setting `ACTIONS_GATES`
    refers to this function.

    A gate whose suite has been deleted counts as failed, because its verdict is unknown.
    """
    if not gates():
        return []
    try:
        found = judged(rules, action, workspace=Workspace.objects.get(pk=current_workspace_id()))
    except GateMissing as missing:
        return [missing.message]
    return [f"{one.name} ({', '.join(one.reasons)})" for one in found.failures]


def _is_about_actions(case: Case) -> bool:
    expected = (case.expect, *(step.expect for step in case.steps))
    return any(one.get(name) for one in expected for name in _ABOUT_ACTIONS) and not (
        case.simulate or case.rubric or case.needs_merchant
    )


def _reasons(
    cases: Sequence[Case], workspace: Workspace, ends: float | None, rules: Rules, action: str
) -> list[tuple[str, ...]]:
    """Return why each case fails under the rules; cases that could not be judged before the deadline are left out."""
    with using(_answered_without_a_model()), trying(action, rules), evaluating():
        played = loop_thread.run(_run_all(cases, workspace, None if ends is None else ends - monotonic()))
    actions = all_actions()
    return [
        tuple(why(grade, actions) for grade in grades_of(case, one) if not grade.passed)
        for case, one in zip(cases, played, strict=False)
    ]


async def _run_all(cases: Sequence[Case], workspace: Workspace, seconds: float | None) -> list[CaseTry]:
    played: list[CaseTry] = []
    try:
        async with asyncio.timeout(seconds) as deadline:
            for case in cases:
                played.append((await run_case(workspace, case))[0])
    except TimeoutError:
        if not deadline.expired():
            raise
    return played


def _answered_without_a_model() -> Release:
    live = live_release()
    live.document = stored(replace(live.contents, routes={**live.contents.routes, "answer": (BUILTIN,)}))
    return live
