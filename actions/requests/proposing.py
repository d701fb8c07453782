"""Turning an intent into a request: it is created once per key, decided by the policy, and shown as a card.

The merchant is never called inside a transaction: its data is read beforehand, and once more right before it is used.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.timezone import now
from django.utils.translation import gettext

from actions import audit
from actions.audit import record_refusal
from actions.canonical_json import digest_of
from actions.errors import AlreadyConfirmed, CannotUndo, InvalidArguments, KeyReused, UnknownAction
from actions.facts import ORDER, Records
from actions.models import MAX_ORDER_ID, ActionPolicy, ActionRequest
from actions.policy_store import policy_of, rules_of
from actions.principals import Principal
from actions.reasons import Reason
from actions.requests.intent_parsing import Intent, parse_intent
from actions.requests.reevaluation import decision_on, gathered, lapse_reason
from actions.requests.rule_decision import Decision, Rules, Verdict
from actions.requests.transitions import CARD_LIFE, lock_request, transition
from actions.requests.undo_window import in_window
from actions.spec import Terms, WriteAction
from actions.states import FINAL, OPEN, State
from supportbot.ids import uuid7


@dataclass(frozen=True, slots=True)
class Preview:
    """The result of a preview: the decision, and the request as it would be shown; nothing is stored."""

    decision: Decision
    request: ActionRequest


@dataclass(frozen=True, slots=True)
class ResolvedTerms:
    """The customer's records and the complete terms, or the reason why there are none."""

    records: Records | None = None
    terms: Terms | None = None
    reason: Reason | None = None


def propose(
    principal: Principal,
    action: str,
    arguments: str | Mapping[str, Any],
    *,
    proposal_key: str,
    conversation_id: UUID | None = None,
    undoes: UUID | None = None,
    corrects: bool = False,
) -> ActionRequest:
    """Return the new request: waiting for the customer's confirmation, or refused with its reason.

    `undoes` is the request to undo. With `corrects`, the customer corrects the newest card of this action in this
    conversation: that card ends when the new one is created. Idempotent on `proposal_key`; an identical request that is
    still open is returned instead of a new one. Raises UnknownAction, InvalidArguments, NotSignedIn, KeyReused (the key
    belongs to another intent), CannotUndo (the identical request undoes no request, or a different one),
    AlreadyConfirmed (the card to correct has been confirmed) or MerchantUnavailable.
    """
    intent = _intent(principal, action, arguments, undoes)
    spec, policy = _spec(intent), _policy(intent)
    known = _find_by_key(intent, proposal_key)
    if known is not None:
        return known
    draft, resolved = _draft(intent, spec, policy, proposal_key, conversation_id, undoes=undoes)
    decision = _decide(spec, draft, resolved, rules_of(policy))
    try:
        return _identical_or_concurrent(intent, draft, decision, corrects=corrects)
    except AlreadyConfirmed as error:
        actor, name = principal.actor, intent.action.name
        record_refusal("wish.refused", error, actor=actor, request_id=error.request_id, action=name)
        raise


def _identical_or_concurrent(
    intent: Intent, draft: ActionRequest, decision: Decision, *, corrects: bool
) -> ActionRequest:
    """Do as `_identical_or_stored` does, even if the same key or an identical request is stored at the same moment.

    A second attempt finds the identical request, and returns it or, if it belongs to another chat, ends it.
    """
    for _ in range(2):
        with suppress(IntegrityError):
            return _identical_or_stored(draft, decision, corrects=corrects)
        known = _find_by_key(intent, draft.proposal_key)
        if known is not None:
            return known
    return _concurrent_request(draft)


@transaction.atomic
def _identical_or_stored(draft: ActionRequest, decision: Decision, *, corrects: bool) -> ActionRequest:
    """Return the identical request that is still open, or else store and return the draft, and end the card that it
    corrects.
    """
    _lock_cards(draft)
    corrected = _corrected_card(draft) if corrects and not decision.is_refusal else None
    identical = _reuse_identical_request(draft)
    if identical is None:
        return _store(draft, decision, corrected)
    if corrected is not None and corrected.pk != identical.pk:
        _end_replaced(corrected, draft)
    return identical


def preview(
    principal: Principal, action: str, arguments: str | Mapping[str, Any], *, undoes: UUID | None = None
) -> Preview:
    """Return what `propose` would decide, without storing anything. Runs the same code and raises the same errors."""
    intent = _intent(principal, action, arguments, undoes)
    spec, policy = _spec(intent), _policy(intent)
    draft, resolved = _draft(intent, spec, policy, f"preview:{uuid7()}", None, undoes=undoes)
    identical = _find_identical_open(draft) if undoes else None
    if identical is not None and identical.state != State.AWAITING_CONFIRMATION:
        _checked_same_undo(identical, draft)
    return Preview(_decide(spec, draft, resolved, rules_of(policy)), draft)


def _intent(principal: Principal, action: str, arguments: str | Mapping[str, Any], undoes: UUID | None) -> Intent:
    intent = parse_intent(principal, action, arguments)
    return intent.spelled_as(arguments) if undoes is not None and not isinstance(arguments, str) else intent


def _spec(intent: Intent) -> WriteAction:
    if not isinstance(intent.action, WriteAction):
        text = gettext("{action} is a look-up: it is answered immediately and needs no request.")
        error = UnknownAction(text.format(action=intent.action.name))
        record_refusal("wish.refused", error, actor=intent.principal.actor, action=intent.action.name)
        raise error
    return intent.action


def _policy(intent: Intent) -> ActionPolicy:
    policy = policy_of(intent.action.name)
    if policy is None:
        error = UnknownAction(gettext("This workspace does not offer this action."))
        record_refusal("wish.refused", error, actor=intent.principal.actor, action=intent.action.name)
        raise error
    return policy


def _find_by_key(intent: Intent, proposal_key: str) -> ActionRequest | None:
    request: ActionRequest | None = ActionRequest.objects.filter(proposal_key=proposal_key).first()
    if request is None:
        return None
    is_same = request.customer_id == intent.principal.customer_id and request.action == intent.action.name
    if is_same and request.asked_digest == intent.asked_digest:
        return request
    error = KeyReused()
    record_refusal("wish.refused", error, actor=intent.principal.actor, action=intent.action.name)
    raise error


def _draft(
    intent: Intent,
    spec: WriteAction,
    policy: ActionPolicy,
    key: str,
    conversation_id: UUID | None,
    *,
    undoes: UUID | None,
) -> tuple[ActionRequest, ResolvedTerms]:
    """Return the request as it would be stored, and the intent resolved with the merchant's data."""
    resolved = _resolve_terms(intent, spec, is_undo=undoes is not None)
    terms = resolved.terms
    # The merchant's own spelling is used, because limits add up per subject, whatever spellings the merchant accepts.
    subject = spec.subject(terms.arguments if terms else intent.asked, resolved.records)
    draft = ActionRequest(
        id=uuid7(),
        customer_id=intent.principal.customer_id,
        conversation_id=conversation_id,
        proposal_key=key,
        action=spec.name,
        spec_version=spec.version,
        policy_version=policy.current,
        locale=intent.principal.locale[:12],
        asked_digest=intent.asked_digest,
        arguments=terms.arguments if terms else intent.asked,
        subject_kind=subject.kind,
        subject_id=subject.id,
        order_id=subject.id[:MAX_ORDER_ID] if subject.kind == ORDER else "",
        amount=terms.money.amount if terms and terms.money else None,
        currency=terms.money.currency if terms and terms.money else "",
        shown=dict(terms.shown) if terms else {},
        proposed_by=intent.principal.actor,
        undoes=undoes,
    )
    draft.digest = _digest(draft)
    return draft, resolved


def _resolve_terms(intent: Intent, spec: WriteAction, *, is_undo: bool) -> ResolvedTerms:
    try:
        records = gathered(spec, intent.asked, intent.identity, is_undo=is_undo)
        if isinstance(records, Reason):
            return ResolvedTerms(reason=records)
        terms = spec.complete(intent.asked, records)
    except InvalidArguments as error:
        record_refusal("wish.refused", error, actor=intent.principal.actor, action=intent.action.name)
        raise
    return ResolvedTerms(reason=terms) if isinstance(terms, Reason) else ResolvedTerms(records, terms)


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


def _decide(spec: WriteAction, draft: ActionRequest, resolved: ResolvedTerms, rules: Rules) -> Decision:
    if resolved.records is None:
        return Decision(Verdict.REFUSE, resolved.reason)
    return decision_on(spec, draft, resolved.records, rules)


def _reuse_identical_request(draft: ActionRequest) -> ActionRequest | None:
    """Return the open request for an identical intent; if it has lapsed or belongs to another chat, end it instead."""
    found = _find_identical_open(draft)
    if found is None:
        return None
    identical = lock_request(found.pk)
    if identical.state != State.AWAITING_CONFIRMATION:
        return _checked_same_undo(identical, draft) if identical.state in OPEN else None
    lapsed = lapse_reason(identical)
    if lapsed is not None:
        transition(identical, State.EXPIRED, actor="system", reason=lapsed)
        return None
    is_other_undo = draft.undoes is not None and identical.undoes != draft.undoes
    if identical.conversation_id != draft.conversation_id or is_other_undo:
        transition(identical, State.CANCELLED, actor="system", reason=Reason("superseded"))
        return None
    return identical


def _checked_same_undo(identical: ActionRequest, draft: ActionRequest) -> ActionRequest:
    """Return the identical open request.

    Raises CannotUndo if the draft undoes a different request, since that other request would not be recorded as undone.
    """
    if draft.undoes is not None and identical.undoes != draft.undoes:
        raise CannotUndo()
    return identical


def _find_identical_open(draft: ActionRequest) -> ActionRequest | None:
    identical: ActionRequest | None = ActionRequest.objects.filter(
        customer_id=draft.customer_id,
        action=draft.action,
        asked_digest=draft.asked_digest,
        state__in=OPEN,
    ).first()
    return identical


def _concurrent_request(draft: ActionRequest) -> ActionRequest:
    request = _find_identical_open(draft)
    if request is None:  # it was decided in the meantime: the caller may try again
        raise KeyReused(gettext("An identical request was decided at the same moment. Please ask again."))
    return _checked_same_undo(request, draft)


def _lock_cards(draft: ActionRequest) -> None:
    """Lock the open cards that a new one may end, before anything else. Confirming or withdrawing a card locks the card
    first and the head of the audit trail later; the opposite order would cause a deadlock.
    """
    identical = Q(asked_digest=draft.asked_digest, state__in=OPEN)
    of_chat = Q(conversation_id=draft.conversation_id, state=State.AWAITING_CONFIRMATION)
    cards = ActionRequest.objects.select_for_update(no_key=True).filter(
        identical | of_chat if draft.conversation_id else identical, customer_id=draft.customer_id, action=draft.action
    )
    list(cards.order_by("id"))


def _corrected_card(draft: ActionRequest) -> ActionRequest | None:
    """Return the card that a draft corrects: the open card for the same subject, else this chat's newest card that has
    not ended, else None. Raises AlreadyConfirmed if that card was confirmed.
    """
    shown = _earlier_requests(draft).exclude(state__in=(State.PROPOSED, State.REFUSED)).order_by("-id")
    about_the_same: ActionRequest | None = (
        shown.filter(state=State.AWAITING_CONFIRMATION, subject_kind=draft.subject_kind, subject_id=draft.subject_id)
        .exclude(asked_digest=draft.asked_digest)
        .first()
    )
    newest: ActionRequest | None = shown.exclude(state__in=FINAL.difference({State.SUCCEEDED})).first()
    card = about_the_same or newest
    if card is not None and card.state != State.AWAITING_CONFIRMATION:
        raise AlreadyConfirmed(card.pk)
    return card


def _earlier_requests(draft: ActionRequest) -> QuerySet[ActionRequest]:
    """Return the requests of a draft's action from this chat's earlier answers."""
    if draft.conversation_id is None:
        return ActionRequest.objects.none()
    answer = draft.proposal_key.rpartition(":")[0]
    requests = ActionRequest.objects.filter(
        customer_id=draft.customer_id, conversation_id=draft.conversation_id, action=draft.action
    )
    return requests.exclude(proposal_key__startswith=f"{answer}:")


def _store(draft: ActionRequest, decision: Decision, corrected: ActionRequest | None) -> ActionRequest:
    draft.save(force_insert=True)
    taken_back = {"undoes": str(draft.undoes)} if draft.undoes else {}
    audit.record(
        "request.proposed", actor=draft.proposed_by, request_id=draft.pk,
        action=draft.action, policy=draft.policy_version.number, verdict=str(decision.verdict), digest=draft.digest,
        **taken_back,
    )  # fmt: skip
    if decision.is_refusal:
        return transition(draft, State.REFUSED, actor="policy", reason=decision.reason)
    _replace_older(draft, corrected)
    return transition(
        draft, State.AWAITING_CONFIRMATION, actor="policy",
        expires_at=in_window(draft, now() + CARD_LIFE), needs_approval=decision.needs_approval,
    )  # fmt: skip


def _replace_older(draft: ActionRequest, corrected: ActionRequest | None) -> None:
    """End the cards for the same subject and action from this chat's earlier answers, and the corrected card. Cards of
    the same answer coexist. The caller has locked all of them.
    """
    same_subject = Q(subject_kind=draft.subject_kind, subject_id=draft.subject_id)
    older = _earlier_requests(draft).filter(
        same_subject | Q(pk=corrected.pk if corrected else None), state=State.AWAITING_CONFIRMATION
    )
    for card in older.order_by("id"):
        _end_replaced(card, draft)


def _end_replaced(card: ActionRequest, draft: ActionRequest) -> None:
    is_same_order = draft.subject_kind == ORDER and card.subject_id == draft.subject_id
    transition(card, State.CANCELLED, actor="system", reason=Reason("replaced" if is_same_order else "replaced_card"))
