"""Carries out a proposal of an evaluated conversation: a stand-in receives the call, and nothing is stored.

The steps are the same as in `execution`: records are read again, the rules are applied again, and one call is sent.
"""

from actions.errors import MerchantUnavailable, NotConnected
from actions.execution import back_end_of, made_with, refusal_reason
from actions.facts import Identity
from actions.models import ActionRequest
from actions.outcomes import DidNot, Happened
from actions.proposing import gather_again, reevaluate, spec_of
from actions.reasons import Reason
from actions.simulated_backend import simulated_backend
from actions.states import State


def execute_simulated(request: ActionRequest, identity: Identity) -> ActionRequest:
    """Confirm a previewed request and send it to the stand-in; return the request, which stays in memory.

    The request has then succeeded with a receipt, failed or been cancelled with a reason, or awaits a person's
    approval. Raises RuntimeError without a stand-in: an evaluated conversation must not reach a real system.
    """
    if simulated_backend() is None:
        raise RuntimeError("There is no stand-in for the shop, so an evaluated conversation cannot act.")
    try:
        return _carried_out(request, identity)
    except (MerchantUnavailable, NotConnected):
        return _ended(request, State.FAILED, Reason("not_carried_out"))


def _carried_out(request: ActionRequest, identity: Identity) -> ActionRequest:
    records = gather_again(request, identity)
    decision = reevaluate(request, records)
    if decision.is_refusal:
        return _ended(request, State.CANCELLED, decision.reason)
    if decision.needs_approval:
        return _ended(request, State.AWAITING_APPROVAL, None)
    spec = spec_of(request)
    assert spec is not None and not isinstance(records, Reason)  # otherwise it was refused
    command = spec.command(request.arguments, records, key=str(request.pk))
    if isinstance(command, Reason):
        return _ended(request, State.FAILED, command)
    match back_end_of(request).run(command, idempotency_key=str(request.pk)):
        case Happened() as happened:
            made = made_with(request)
            request.receipt = made.receipt(request.arguments, happened.result) if made else {}
            return _ended(request, State.SUCCEEDED, None)
        case DidNot(is_final=True) as refusal:
            return _ended(request, State.FAILED, refusal_reason(refusal))
    return _ended(request, State.UNKNOWN, Reason("outcome_unknown"))


def _ended(request: ActionRequest, state: State, reason: Reason | None) -> ActionRequest:
    request.state = state
    request.reason_code, request.reason_facts = (reason.code, dict(reason.facts)) if reason else ("", {})
    return request
