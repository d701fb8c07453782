"""From a wish to a request: made once per key, decided by the policy, shown as a card.

Nothing is asked of the merchant inside a transaction: the facts come first, and they are read again before it counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from actions import audit, ledger
from actions.audit import note_refusal
from actions.canonical import digest_of
from actions.connectors.port import merchant, own_order
from actions.errors import InvalidArguments, KeyReused, UnknownAction
from actions.facts import Facts, Order
from actions.intents import Wish, read_wish
from actions.models import ActionPolicy, ActionRequest
from actions.money import Money
from actions.policies import policy_of, rules_of
from actions.policy import Decision, Rules, Verdict, decide_write
from actions.principals import Principal
from actions.reasons import Reason
from actions.registry import write_action
from actions.spec import Terms, WriteAction
from actions.states import OPEN, State
from actions.transitions import CARD_LIFE, lock_request, move
from supportbot.ids import uuid7


@dataclass(frozen=True, slots=True)
class Preview:
    """What would happen: the decision, and the request as it would be shown. Nothing is stored."""

    decision: Decision
    request: ActionRequest


@dataclass(frozen=True, slots=True)
class Prospect:
    """The order and the complete terms, or the reason why there are none."""

    order: Order | None = None
    terms: Terms | None = None
    reason: Reason | None = None


def propose(
    principal: Principal,
    action: str,
    arguments: str | Mapping[str, Any],
    *,
    proposal_key: str,
    conversation_id: UUID | None = None,
) -> ActionRequest:
    """Return the request for a wish: waiting for the customer's confirmation, or refused with its reason.

    Idempotent on `proposal_key`; an equal wish that is still open gives that request. Raises UnknownAction,
    InvalidArguments, NotSignedIn, KeyReused (the key stands for another wish) or MerchantUnavailable.
    """
    wish = read_wish(principal, action, arguments)
    spec, policy = _spec(wish), _policy(wish)
    known = _of_key(wish, proposal_key)
    if known is not None:
        return known
    draft, prospect = _draft(wish, spec, policy, proposal_key, conversation_id)
    decision = _decide(spec, draft, prospect, rules_of(policy))
    try:
        with transaction.atomic():
            return _equal_open(draft) or _store(draft, decision)
    except IntegrityError:
        # Somebody stored the same key or an equal wish between our look and our insert.
        return _of_key(wish, proposal_key) or _winner(draft)


def preview(principal: Principal, action: str, arguments: str | Mapping[str, Any]) -> Preview:
    """Return what `propose` would decide, on the same path, and store nothing."""
    wish = read_wish(principal, action, arguments)
    spec, policy = _spec(wish), _policy(wish)
    draft, prospect = _draft(wish, spec, policy, f"preview:{uuid7()}", None)
    return Preview(_decide(spec, draft, prospect, rules_of(policy)), draft)


def _spec(wish: Wish) -> WriteAction:
    if not isinstance(wish.action, WriteAction):
        error = UnknownAction(f"{wish.action.name} only reads: it is answered at once and needs no request.")
        note_refusal("wish.refused", error, actor=wish.principal.actor, action=wish.action.name)
        raise error
    return wish.action


def _policy(wish: Wish) -> ActionPolicy:
    policy = policy_of(wish.action.name)
    if policy is None:
        error = UnknownAction("This workspace does not offer this action.")
        note_refusal("wish.refused", error, actor=wish.principal.actor, action=wish.action.name)
        raise error
    return policy


def _of_key(wish: Wish, proposal_key: str) -> ActionRequest | None:
    request: ActionRequest | None = ActionRequest.objects.filter(proposal_key=proposal_key).first()
    if request is None:
        return None
    is_same = request.customer_id == wish.principal.customer_id and request.action == wish.action.name
    if is_same and request.asked_digest == wish.asked_digest:
        return request
    error = KeyReused()
    note_refusal("wish.refused", error, actor=wish.principal.actor, action=wish.action.name)
    raise error


def _draft(
    wish: Wish, spec: WriteAction, policy: ActionPolicy, key: str, conversation_id: UUID | None
) -> tuple[ActionRequest, Prospect]:
    """Return the request as it would be stored, and what the merchant's facts make of the wish."""
    prospect = _prospect(wish, spec)
    terms = prospect.terms
    draft = ActionRequest(
        id=uuid7(),
        customer_id=wish.principal.customer_id,
        conversation_id=conversation_id,
        proposal_key=key,
        action=spec.name,
        spec_version=spec.version,
        policy_version=policy.current,
        locale=wish.principal.locale[:12],
        asked_digest=wish.asked_digest,
        arguments=terms.arguments if terms else wish.asked,
        # As the merchant writes it: whatever spellings it takes, sums are of one order.
        order_id=prospect.order.id if prospect.order else wish.asked["order_id"],
        amount=terms.money.amount if terms and terms.money else None,
        currency=terms.money.currency if terms and terms.money else "",
        shown=dict(terms.shown) if terms else {},
        proposed_by=wish.principal.actor,
    )
    draft.digest = _digest(draft)
    return draft, prospect


def _prospect(wish: Wish, spec: WriteAction) -> Prospect:
    order = own_order(merchant(), wish.asked["order_id"], wish.merchant_id)
    if isinstance(order, Reason):
        return Prospect(reason=order)
    try:
        terms = spec.terms(wish.asked, order)
    except InvalidArguments as error:
        note_refusal("wish.refused", error, actor=wish.principal.actor, action=wish.action.name)
        raise
    return Prospect(reason=terms) if isinstance(terms, Reason) else Prospect(order, terms)


def _digest(request: ActionRequest) -> str:
    return digest_of(
        workspace=request.workspace_pk,
        customer=request.customer_id,
        request=request.pk,
        action=request.action,
        spec_version=request.spec_version,
        policy_version=request.policy_version.number,
        arguments=request.arguments,
    )


def _decide(spec: WriteAction, draft: ActionRequest, prospect: Prospect, rules: Rules) -> Decision:
    if prospect.order is None:
        return Decision(Verdict.REFUSE, prospect.reason)
    return _decision(spec, draft, prospect.order, rules)


def decision_about(request: ActionRequest, order: Order | Reason) -> Decision:
    """Return what the policy says about a stored request at this moment, its order read anew.

    The sums are exact only under the ledger's lock.
    """
    if isinstance(order, Reason):
        return Decision(Verdict.REFUSE, order)
    spec = spec_of(request)
    if spec is None:
        return Decision(Verdict.REFUSE, Reason("policy_changed"))
    return _decision(spec, request, order, rules_of(policy_of(request.action)))


def spec_of(request: ActionRequest) -> WriteAction | None:
    return write_action(request.action, request.spec_version)


def _decision(spec: WriteAction, request: ActionRequest, order: Order, rules: Rules) -> Decision:
    moment = now()
    facts = Facts(order, moment, rules.window_days, ledger.pending(request, order.read_at))
    obstacle = spec.obstacle(request.arguments, facts)
    return decide_write(rules=rules, obstacle=obstacle, money=money_in(request), used=ledger.used(request, moment))


def money_in(request: ActionRequest) -> Money | None:
    return Money(request.amount, request.currency) if request.amount is not None else None


def _equal_open(draft: ActionRequest) -> ActionRequest | None:
    """Return the open request for an equal wish; a card that is over or lies in another chat makes way."""
    found = _open_like(draft)
    if found is None:
        return None
    equal = lock_request(found.pk)
    if equal.state != State.AWAITING_CONFIRMATION:
        return equal if equal.state in OPEN else None
    over = lapse(equal)
    if over is not None:
        move(equal, State.EXPIRED, actor="system", reason=over)
        return None
    if equal.conversation_id != draft.conversation_id:
        move(equal, State.CANCELLED, actor="system", reason=Reason("superseded"))
        return None
    return equal


def lapse(request: ActionRequest) -> Reason | None:
    """Return why a waiting request is over: its time, other rules than it was shown under, or another meaning."""
    if request.is_expired(now()):
        return Reason("not_confirmed" if request.state == State.AWAITING_CONFIRMATION else "not_approved")
    policy = policy_of(request.action)
    if policy is None or policy.current_id != request.policy_version_id or spec_of(request) is None:
        return Reason("policy_changed")
    return None


def _open_like(draft: ActionRequest) -> ActionRequest | None:
    equal: ActionRequest | None = ActionRequest.objects.filter(
        customer_id=draft.customer_id,
        action=draft.action,
        asked_digest=draft.asked_digest,
        state__in=OPEN,
    ).first()
    return equal


def _winner(draft: ActionRequest) -> ActionRequest:
    winner = _open_like(draft)
    if winner is None:  # it came and went within a moment: the caller may ask again
        raise KeyReused("An equal request was decided at this very moment: ask again.")
    return winner


def _store(draft: ActionRequest, decision: Decision) -> ActionRequest:
    draft.save(force_insert=True)
    audit.record(
        "request.proposed", actor=draft.proposed_by, request_id=draft.pk,
        action=draft.action, policy=draft.policy_version.number, verdict=str(decision.verdict), digest=draft.digest,
    )  # fmt: skip
    if decision.is_refusal:
        return move(draft, State.REFUSED, actor="policy", reason=decision.reason)
    _replace_older(draft)
    return move(
        draft, State.AWAITING_CONFIRMATION, actor="policy",
        expires_at=now() + CARD_LIFE, needs_approval=decision.needs_approval,
    )  # fmt: skip


def _replace_older(draft: ActionRequest) -> None:
    """End the cards for the same that an earlier answer of this chat has shown; those of one answer stand together."""
    answer = draft.proposal_key.rpartition(":")[0]
    older = ActionRequest.objects.select_for_update(no_key=True).filter(
        customer_id=draft.customer_id, conversation_id=draft.conversation_id, action=draft.action,
        order_id=draft.order_id, state=State.AWAITING_CONFIRMATION,
    )  # fmt: skip
    for card in older.exclude(proposal_key__startswith=f"{answer}:").order_by("id") if draft.conversation_id else ():
        move(card, State.CANCELLED, actor="system", reason=Reason("replaced"))
