"""The time window for undoing a completed request. It is checked when the undo request is proposed, when it is
confirmed and approved, and right before it is sent.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.timezone import now

from actions.models import ActionRequest
from actions.policy_store import policy_of, rules_of
from actions.registry import action_as_made
from actions.requests.rule_decision import Rules
from actions.spec import WriteAction
from actions.states import WAITING, State


@dataclass(frozen=True, slots=True)
class Window:
    """The name of the action that undoes a request, and the time until which it can be undone."""

    action: str
    until: datetime

    def decided_by(self, rules: Rules) -> datetime:
        """Return the latest time when the undo request can be decided and still be sent in time, even if these rules
        hold it back.
        """
        return self.until - timedelta(minutes=rules.hold_minutes or 0)


def window_of(request: ActionRequest) -> Window | None:
    """Return a completed request's window, over or not; None if it cannot be undone."""
    made = action_as_made(request.action, request.spec_version) if request.state == State.SUCCEEDED else None
    if not isinstance(made, WriteAction) or made.undo is None:
        return None
    return Window(made.undo.action, request.changed_at + timedelta(hours=made.undo.within_hours))


def undo_deadline(request: ActionRequest) -> datetime | None:
    """Return the deadline for deciding on a request that undoes another one or, once it is decided, for sending it;
    None for a request that undoes nothing.
    """
    if request.undoes is None:
        return None
    undone = ActionRequest.objects.filter(pk=request.undoes).first()
    window = window_of(undone) if undone else None
    if window is None:  # the window is unknown, so it counts as closed
        return request.created_at
    is_decided = request.state not in (State.PROPOSED, *WAITING)
    return window.until if is_decided else window.decided_by(rules_of(policy_of(request.action)))


def is_too_late(request: ActionRequest) -> bool:
    """Return whether a request undoes another one whose undo window is over."""
    deadline = undo_deadline(request)
    return deadline is not None and deadline <= now()


def in_window(request: ActionRequest, until: datetime) -> datetime:
    """Return when to stop waiting for a decision: at `until`, or at the end of the undo window if that is earlier."""
    deadline = undo_deadline(request)
    return until if deadline is None else min(until, deadline)
