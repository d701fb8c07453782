"""The states of a request: one table for code, database and events.

The CHECK on the column and the trigger that guards each change are generated from this module. A migration contains
their text, and a test compares the two.
"""

from typing import Final

from django.db import models


class State(models.TextChoices):
    PROPOSED = "proposed"
    REFUSED = "refused"
    AWAITING_CONFIRMATION = "awaiting_confirmation"
    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    EXECUTING = "executing"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"


TRANSITIONS: Final[dict[State, tuple[State, ...]]] = {
    State.PROPOSED: (State.REFUSED, State.AWAITING_CONFIRMATION, State.AWAITING_APPROVAL, State.QUEUED),
    State.AWAITING_CONFIRMATION: (State.AWAITING_APPROVAL, State.QUEUED, State.CANCELLED, State.EXPIRED),
    State.AWAITING_APPROVAL: (State.QUEUED, State.REJECTED, State.CANCELLED, State.EXPIRED),
    State.QUEUED: (State.EXECUTING, State.CANCELLED),
    # Going back to queued is a retry with the same key.
    State.EXECUTING: (State.SUCCEEDED, State.FAILED, State.UNKNOWN, State.QUEUED),
    State.UNKNOWN: (State.SUCCEEDED, State.FAILED),
}
FINAL: Final = frozenset(state for state in State if state not in TRANSITIONS)
# An equal intent returns the request that is already open instead of creating a second one.
OPEN: Final = (
    State.AWAITING_CONFIRMATION, State.AWAITING_APPROVAL, State.QUEUED, State.EXECUTING, State.UNKNOWN,
)  # fmt: skip
UNDOING: Final = (*OPEN, State.SUCCEEDED)  # of the requests that undo the same one, at most one is in these states
WAITING: Final = (State.AWAITING_CONFIRMATION, State.AWAITING_APPROVAL)  # waiting for a person
WITHDRAWABLE: Final = (State.AWAITING_CONFIRMATION, State.AWAITING_APPROVAL, State.QUEUED)


def may_become(old: State, new: State) -> bool:
    return new in TRANSITIONS.get(old, ())


def trigger_function_sql() -> str:
    """Return the trigger's function: a request starts as proposed, takes only allowed transitions and keeps its terms.

    The shown and confirmed terms (`FIXED` and the arguments) never change. The arguments of a request that nobody
    confirmed may be emptied once it is final. A request is deleted only together with its workspace.
    """
    pairs = ", ".join(f"'{old}>{new}'" for old, targets in TRANSITIONS.items() for new in targets)
    fixed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in FIXED)
    over = ", ".join(f"'{state}'" for state in State if state in FINAL)
    emptied = f"NEW.arguments = '{{}}'::jsonb AND OLD.confirmed_by = '' AND OLD.state IN ({over})"
    return f"""CREATE OR REPLACE FUNCTION actions_request_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> '{State.PROPOSED}' THEN
            RAISE EXCEPTION 'a request begins as proposed, not as %', NEW.state
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state) IN ({pairs}) THEN
        RAISE EXCEPTION 'a request does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF {fixed} THEN
        RAISE EXCEPTION 'the terms of request % never change', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.arguments IS DISTINCT FROM OLD.arguments AND NOT ({emptied}) THEN
        RAISE EXCEPTION 'the arguments of request % never change', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""


FIXED: Final = (
    "id", "workspace_id", "customer_id", "conversation_id", "action", "spec_version", "policy_version_id",
    "proposal_key", "undoes", "asked_digest", "digest", "amount", "currency", "subject_kind",
    "subject_id", "order_id", "created_at",
)  # fmt: skip
