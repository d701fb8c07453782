"""A workspace's stored policies. Each is created with its action's default limits, and changes only by getting a new
version of its rules. `requests.rule_decision` decides what a policy means for a request, and `approvers` says who may
approve under it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict
from typing import Any, Final, Protocol

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext, gettext_noop

from actions import audit
from actions.errors import ActionError
from actions.models import (
    ActionPolicy,
    ActionPolicyVersion,
    MerchantConnection,
)
from actions.registry import action_in_force, code_actions
from actions.requests.rule_decision import Rules, allows_more, bounded
from actions.spec import Action
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import InvalidInput

RULE_FIELDS = (
    "currency", "is_shadow", "max_per_order", "max_per_customer_day", "max_per_customer_year", "max_per_workspace_day",
    "max_requests_per_customer_day", "approval_above", "second_approval_above", "window_days",
    "hold_minutes",
)  # fmt: skip
_REQUESTS: Final = "max_requests_per_customer_day"
_tried: ContextVar[Mapping[str, Rules]] = ContextVar("tried_rules")


@transaction.atomic
def ensure_policies(*, actor: str = "system") -> list[ActionPolicy]:
    """Create the policies that the current workspace lacks, and enable them; return the new ones."""
    return _add_missing_policies(actor=actor, is_enabled=True)


@transaction.atomic
def add_new_actions(*, actor: str) -> list[ActionPolicy]:
    """Create policies for actions that were added after the workspace was connected; return the new ones.

    They are switched off, since an upgrade must not decide what a workspace offers. If no merchant is connected, none
    are created.
    """
    return _add_missing_policies(actor=actor, is_enabled=False) if MerchantConnection.objects.exists() else []


def initial_rules(action: Action) -> Rules | None:
    """Return the rules that `add_new_actions` would create for an action; None if no merchant is connected. Nothing is
    stored.
    """
    if not MerchantConnection.objects.exists():
        return None
    return Rules(number=0, currency=_workspace_currency(), is_enabled=False, **asdict(action.limits))


def _workspace_currency() -> str:
    return str(Workspace.objects.values_list("currency", flat=True).get(pk=current_workspace_id()))


def _add_missing_policies(*, actor: str, is_enabled: bool) -> list[ActionPolicy]:
    currency = _workspace_currency()
    known = set(ActionPolicy.objects.values_list("action", flat=True))
    made = []
    for action in code_actions().values():
        if action.name not in known:
            policy, is_new = ActionPolicy.objects.get_or_create(action=action.name, defaults={"is_enabled": is_enabled})
            if not is_new:  # created concurrently
                continue
            _add_version(policy, 1, {"currency": currency, **asdict(action.limits)}, actor=actor)
            made.append(policy)
    return made


@transaction.atomic
def ensure_policy(action: Action, *, actor: str, is_dry_run: bool = False) -> None:
    """Create an enabled policy for an action that is being published, unless it has one. In a dry run, requests carry
    nothing out. If an existing policy allows more requests than the action does, the number is lowered in a new version
    of the rules.
    """
    policy, is_new = ActionPolicy.objects.get_or_create(action=action.name)
    if is_new:
        rules = {"currency": _workspace_currency(), "is_shadow": is_dry_run, **asdict(action.limits)}
        _add_version(policy, 1, rules, actor=actor)
    elif action.most_requests is not None:
        locked = _locked(policy)
        if bounded(stored := rules_in(locked), action.most_requests) != stored:
            _change(locked, {_REQUESTS: action.most_requests}, actor=actor)


@transaction.atomic
def change_rules(policy: ActionPolicy, *, actor: str, **changes: Any) -> ActionPolicyVersion:
    """Create a new version of the rules; waiting requests are judged by it within seconds. Raises InvalidInput if the
    rules would allow more requests than the action itself does.
    """
    locked = _locked(policy)
    if _REQUESTS in changes and (problem := requests_problem(policy.action, changes[_REQUESTS])):
        raise InvalidInput(problem, fields={_REQUESTS: [problem]})
    return _change(locked, changes, actor=actor)


def requests_problem(name: str, most: int | None) -> str:
    """Return why an action's rules cannot allow `most` requests per customer and day (None means no limit); "" if they
    can.
    """
    action = action_in_force(name)
    own = action.most_requests if action else None
    if own is None or (most is not None and most <= own):
        return ""
    return gettext(
        "This action's call identifies no customer, so the limit in its definition cannot be lifted here. Enter "
        "a number from 0 to {most}, or publish a version with a higher limit."
    ).format(most=own)


def _locked(policy: ActionPolicy) -> ActionPolicy:
    return ActionPolicy.objects.select_for_update(no_key=True).get(pk=policy.pk)


def _change(locked: ActionPolicy, changes: Mapping[str, Any], *, actor: str) -> ActionPolicyVersion:
    old = locked.current
    assert old is not None  # every policy is created with its first version
    fields = {name: getattr(old, name) for name in RULE_FIELDS}
    return _add_version(locked, old.number + 1, {**fields, **changes}, actor=actor)


def _add_version(policy: ActionPolicy, number: int, fields: dict[str, Any], *, actor: str) -> ActionPolicyVersion:
    version = ActionPolicyVersion(policy=policy, number=number, created_by=actor, **fields)
    version.full_clean(exclude=["policy", "workspace"], validate_unique=False, validate_constraints=False)
    version.save(force_insert=True)
    policy.current = version
    policy.save(update_fields=["current"])
    audit.record("policy.changed", actor=actor, action=policy.action, version=number)
    return version


@transaction.atomic
def switch(policy: ActionPolicy, *, is_enabled: bool, actor: str) -> None:
    """Switch an action on or off for the workspace, with immediate effect on everything not yet sent."""
    ActionPolicy.objects.filter(pk=policy.pk).update(is_enabled=is_enabled)
    audit.record("policy.enabled" if is_enabled else "policy.disabled", actor=actor, action=policy.action)


@transaction.atomic
def switch_off_built_in(*, actor: str) -> list[str]:
    """Switch off every built-in action of the workspace; return the names of those that were on."""
    on = ActionPolicy.objects.filter(action__in=code_actions(), is_enabled=True).order_by("action")
    policies = list(on.select_for_update(no_key=True))
    for policy in policies:
        switch(policy, is_enabled=False, actor=actor)
    return [policy.action for policy in policies]


def rules_of(policy: ActionPolicy | None) -> Rules:
    """Return the current rules; if there is no policy, nothing is allowed."""
    if policy is not None and policy.action in (tried := tried_rules()):
        return tried[policy.action]
    if policy is None or policy.current is None:
        return Rules(number=0, currency="", is_enabled=False)
    return rules_in(policy)


def rules_in(policy: ActionPolicy) -> Rules:
    """Return the rules that a policy stores, even while other rules are being tried."""
    version = policy.current
    assert version is not None  # every policy is created with its first version
    fields = {name: getattr(version, name) for name in RULE_FIELDS}
    return Rules(number=version.number, is_enabled=policy.is_enabled, **fields)


@contextmanager
def trying(action: str, rules: Rules) -> Iterator[None]:
    """Use these rules in this context and in the tasks it starts, without storing them; used by evaluations."""
    token = _tried.set({**_tried.get({}), action: rules})
    try:
        yield
    finally:
        _tried.reset(token)


def tried_rules() -> Mapping[str, Rules]:
    """Return the rules that are being tried in this context, by action."""
    return _tried.get({})


def policy_of(action: str) -> ActionPolicy | None:
    return ActionPolicy.objects.select_related("current").filter(action=action).first()


def versions_in_force() -> dict[str, int]:
    """Return the version of the rules in force for each action; 0 for an action that is switched off."""
    rows = ActionPolicy.objects.filter(current__isnull=False).values_list("action", "is_enabled", "current__number")
    return {action: number if is_enabled else 0 for action, is_enabled, number in rows.order_by("action")}


class Gates(Protocol):
    """A check that runs the gate cases with other rules for an action, and returns those that would fail."""

    def __call__(self, rules: Rules, action: str) -> list[str]: ...


class GatesRefuse(ActionError):
    """A gate case would fail with the new rules, and the caller asked to change the rules only if none would."""

    code = "gate_refused"
    status = 409
    default_message = gettext_noop("These rules do not pass the gates.")

    def __init__(self, cases: Sequence[str]) -> None:
        named = "; ".join(cases[:5])
        super().__init__(gettext("Gate cases that must pass would fail: {names}.").format(names=named))


def refusals(rules: Rules, was: Rules, action: str) -> list[str]:
    """Return the gate cases that would fail under other rules; none if those rules only forbid more."""
    if not allows_more(rules, was):
        return []
    gates: Gates = import_string(settings.ACTIONS_GATES)
    return gates(rules, action)
