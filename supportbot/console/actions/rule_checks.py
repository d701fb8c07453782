"""Checks before action rules are saved.

The gates of a release may refuse the rules, with a reason for the person and for the audit trail. There must also be
enough people who may decide the requests that need a person because of the rules, the action itself or an unknown
outcome.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, ngettext

from actions import audit
from actions.approvers import approvers_of
from actions.models import ActionPolicy
from actions.outcomes import OutcomeKind
from actions.policy_store import rules_of
from actions.registry import action_in_force
from actions.requests.rule_decision import Rules, allows_more
from actions.requests.transitions import APPROVAL_LIFE
from actions.spec import Risk, WriteAction
from supportbot.accounts.models import Membership, User, Workspace
from supportbot.accounts.staff_principals import people_who_may
from supportbot.console.display import error_text
from supportbot.evals.action_rule_gates import MAX_SECONDS, judged
from supportbot.releases.errors import GateMissing
from supportbot.releases.selectors import gates

MAX_NAMED: Final = 5  # cases named in a message
MAX_KEPT: Final = 50  # cases named in the audit trail


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why rules do not pass the gates: cases would fail or could not be judged in time, or a suite does not exist."""

    words: str
    failed: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()


def refused(rules: Rules, was: Rules, action: str, *, workspace_id: UUID) -> Refusal | None:
    """Return why rules do not pass the gates, or None if they pass.

    Rules that only become stricter are never refused.
    """
    if not allows_more(rules, was) or not gates():
        return None
    try:
        found = judged(rules, action, workspace=Workspace.objects.get(pk=workspace_id), seconds=MAX_SECONDS)
    except GateMissing as missing:
        return Refusal(error_text(missing))
    failed = [f"{_quoted(one.question)} ({', '.join(one.reasons)})" for one in found.failures]
    words = [_failing(failed)] * bool(failed) + [_too_slow(found.unjudged)] * bool(found.unjudged)
    names = tuple(one.name for one in found.failures)
    return Refusal(" ".join(words), names, found.unjudged) if words else None


def record_override(refusal: Refusal, *, action: str, reason: str, actor: str) -> None:
    """Record in the audit trail that rules were changed although they do not pass the gates.

    Call this in the change's transaction.
    """
    audit.record(
        "policy.changed_against_gates",
        actor=actor,
        action=action,
        override=reason,
        failed="; ".join(refusal.failed[:MAX_KEPT]),
        not_judged="; ".join(refusal.unjudged[:MAX_KEPT]),
    )


def _quoted(question: str) -> str:
    return gettext("“{quotation}”").format(quotation=question)


def _failing(cases: Sequence[str]) -> str:
    return gettext("Gate cases that must pass would fail: {names}.").format(names=_named(cases))


def _too_slow(cases: Sequence[str]) -> str:
    text = gettext(
        "The gates took longer than {seconds} seconds, so these were not evaluated: {names}. Try again when the "
        "connected system responds faster, choose gates with fewer cases about actions, or give a reason for "
        "overriding the gates."
    )
    return text.format(seconds=f"{MAX_SECONDS:.0f}", names=_named(cases))


def _named(cases: Sequence[str]) -> str:
    more = len(cases) - MAX_NAMED
    left = [ngettext("{number} more", "{number} more", more).format(number=more)] * (more > 0)
    return "; ".join([*cases[:MAX_NAMED], *left])


def approvers_warning(policy: ActionPolicy) -> str:
    """Return a warning with advice if too few people are allowed to decide on requests; "" if there are enough."""
    action = action_in_force(policy.action)
    return _warning(policy, rules_of(policy), action if isinstance(action, WriteAction) else None)


def approvers_warning_before(policy: ActionPolicy | None, spec: WriteAction) -> str:
    """Return the same warning as `approvers_warning` for a version that is not published yet.

    If there is no policy, nobody may decide, and the version's own limits become the rules.
    """
    if policy is not None:
        return _warning(policy, rules_of(policy), spec)
    return _warning(None, Rules(number=0, currency="", is_enabled=True, **asdict(spec.limits)), spec)


def _warning(policy: ActionPolicy | None, rules: Rules, spec: WriteAction | None) -> str:
    needed = _needed(rules, spec)
    able = _able(policy, spec) if policy is not None else []
    if len(able) < needed:
        text = _too_few(needed, able)
    elif not able and spec is not None and spec.outcome is not OutcomeKind.STATUS_LOOKUP:
        text = gettext(
            "If the outcome of a call stays unknown, a person has to find out what happened, but nobody may settle "
            "the request. Select someone under “Who may approve”."
        )
    else:
        return ""
    return " ".join(filter(None, [text, _only_role(spec)]))


def _needed(rules: Rules, spec: WriteAction | None) -> int:
    """Return the largest number of approvals that a request may need."""
    by_action = spec.approvals if spec is not None and spec.may_ask_approval else 0
    if spec is not None and spec.risk is not Risk.MONEY:
        return by_action  # the rules' thresholds are amounts
    by_rules = 2 if rules.second_approval_above is not None else int(rules.approval_above is not None)
    return max(by_action, by_rules)


def _able(policy: ActionPolicy, spec: WriteAction | None) -> list[User]:
    """Return the approvers in the policy whose role allows them to decide."""
    deciding = people_who_may("actions:approve")
    if spec is not None and spec.approval_role:
        members = Membership.objects.filter(workspace_id=policy.workspace_pk)
        members = members.filter(role__in=(spec.approval_role, Membership.Role.ADMIN))
        deciding &= set(members.values_list("user_id", flat=True))
    return [person for person in approvers_of(policy) if person.pk in deciding]


def _too_few(needed: int, able: list[User]) -> str:
    if needed == 1:
        text = gettext(
            "Some requests need approval, but nobody may approve them. Select someone under “Who may approve”."
        )
    elif not able:
        text = gettext(
            "Some requests need two approvals by different people, but nobody may approve them. Select two people "
            "under “Who may approve”."
        )
    else:
        text = gettext(
            "Some requests need two approvals by different people, but only {name} may approve them. Select another "
            "person under “Who may approve”."
        ).format(name=able[0].display_name)
    until = gettext("Until then, such requests expire after {hours} hours.")
    return f"{text} {until.format(hours=int(APPROVAL_LIFE.total_seconds() // 3600))}"


def _only_role(spec: WriteAction | None) -> str:
    role = spec.approval_role if spec is not None else ""
    if role not in Membership.Role.values or role == Membership.Role.ADMIN:
        return ""
    text = gettext("For this action, only people with the role {role} and admins count.")
    return text.format(role=Membership.Role(role).label)
