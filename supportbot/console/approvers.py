"""Whether enough people may approve what the rules of an action, or the action itself, has people approve."""

from django.utils.translation import gettext

from actions.models import ActionPolicy
from actions.policies import approvers_of, rules_of
from actions.registry import action_in_force
from actions.spec import Risk, WriteAction
from actions.transitions import APPROVAL_LIFE
from supportbot.accounts.models import Membership, User
from supportbot.accounts.selectors import people_who_may


def warning(policy: ActionPolicy) -> str:
    """Return what is wrong if fewer people may approve than have to, and what to do; "" if all is well."""
    action = action_in_force(policy.action)
    spec = action if isinstance(action, WriteAction) else None
    needed, able = _needed(policy, spec), _able(policy, spec)
    if len(able) >= needed:
        return ""
    return " ".join(filter(None, [_too_few(needed, able), _only_role(spec)]))


def _needed(policy: ActionPolicy, spec: WriteAction | None) -> int:
    """Return how many people have to approve a request that needs the most."""
    rules = rules_of(policy)
    by_action = spec.approvals if spec is not None and spec.may_ask_approval else 0
    if spec is not None and spec.risk is not Risk.MONEY:
        return by_action  # the rules' thresholds are amounts
    by_rules = 2 if rules.second_approval_above is not None else int(rules.approval_above is not None)
    return max(by_action, by_rules)


def _able(policy: ActionPolicy, spec: WriteAction | None) -> list[User]:
    """Return the people with the right on the policy whose role may decide, too."""
    deciding = people_who_may("actions:approve")
    if spec is not None and spec.approval_role:
        members = Membership.objects.filter(workspace_id=policy.workspace_pk)
        members = members.filter(role__in=(spec.approval_role, Membership.Role.ADMIN))
        deciding &= set(members.values_list("user_id", flat=True))
    return [person for person in approvers_of(policy) if person.pk in deciding]


def _too_few(needed: int, able: list[User]) -> str:
    if needed == 1:
        told = gettext(
            "Some requests need approval, and nobody may approve them. Select somebody under “Who may approve”."
        )
    elif not able:
        told = gettext(
            "Some requests need two approvals by different people, and nobody may give one. Select two people under "
            "“Who may approve”."
        )
    else:
        told = gettext(
            "Some requests need two approvals by different people, and only {name} may give one. Select another person "
            "under “Who may approve”."
        ).format(name=able[0].display_name)
    until = gettext("Until then, such requests expire after {hours} hours.")
    return f"{told} {until.format(hours=int(APPROVAL_LIFE.total_seconds() // 3600))}"


def _only_role(spec: WriteAction | None) -> str:
    role = spec.approval_role if spec is not None else ""
    if role not in Membership.Role.values or role == Membership.Role.ADMIN:
        return ""
    told = gettext("For this action, only people with the role {role} and admins count.")
    return told.format(role=Membership.Role(role).label)
