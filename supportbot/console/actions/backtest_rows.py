"""Rows for past requests that would have been decided differently under changed rules or a new version of an action."""

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.utils.translation import gettext

from actions.backtest import Change
from actions.cards import card_of
from actions.requests.rule_decision import Decision
from supportbot.console.actions.requests import VERDICTS
from supportbot.handoff.approvals.selectors import amount_label
from supportbot.team_formats import active_language

MAX_SHOWN: Final = 50


def rows_of(changes: Sequence[Change], refusal: Callable[[str], str]) -> list[dict[str, Any]]:
    """Return the changed decisions as rows, newly allowed requests first. `refusal` turns a reason's code into text."""
    ordered = sorted(changes, key=lambda one: (not one.is_allowed_now, not one.is_stopped_now))
    return [
        {
            "request": one.request,
            "title": card_of(one.request, active_language()).title,
            "amount": amount_label(one.request),
            "before": _verdict(one.before, refusal),
            "after": _verdict(one.after, refusal),
        }
        for one in ordered[:MAX_SHOWN]
    ]


def _verdict(decision: Decision, refusal: Callable[[str], str]) -> str:
    if decision.is_refusal and decision.reason:
        return gettext("refused: {rule}").format(rule=refusal(decision.reason.code))
    if decision.approvals > 1:
        return gettext("the customer confirms, then two people approve")
    return gettext(VERDICTS[decision.verdict])
