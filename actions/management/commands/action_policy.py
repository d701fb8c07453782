"""`manage.py action_policy NAME`: show an action's rules, switch it on or off, change limits, manage approvers."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from django.core.management.base import CommandError, CommandParser
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext, gettext_noop, ngettext

from actions import audit
from actions.approvers import allow_approval, approvers_of, forbid_approval
from actions.backtest import back_test
from actions.models import MAX_HOLD_MINUTES, ActionPolicy, ActionPolicyUserPermission
from actions.money import format_amount, is_amount_in
from actions.policy_store import (
    GatesRefuse,
    add_new_actions,
    change_rules,
    initial_rules,
    policy_of,
    refusals,
    rules_of,
    switch,
)
from actions.registry import action_named
from actions.requests.rule_decision import Rules, allows_more
from actions.spec import Action
from supportbot.accounts.commands import WorkspaceCommand, operator
from supportbot.accounts.models import User, Workspace
from supportbot.errors import NotFound

_AMOUNTS: Final = (
    "max_per_order", "max_per_customer_day", "max_per_customer_year", "max_per_workspace_day", "approval_above",
    "second_approval_above",
)  # fmt: skip
# The new names of rules whose columns will be renamed in 0.3.
_ALIASES: Final = {"max_per_subject": "max_per_order"}
_LOOK_BACK_DAYS: Final = 30  # the same as in the console
_NUMBERS: Final = ("max_requests_per_customer_day", "window_days", "hold_minutes")


class Command(WorkspaceCommand):
    help = gettext_noop(
        "Show or change a workspace's rules for an action. A change creates a new version and expires older cards."
    )
    # The rules keep the names that `--set` accepts.
    labels = {
        "action": gettext_noop("Action"),
        "is_enabled": gettext_noop("Switched on"),
        "version": gettext_noop("Version"),
        "currency": gettext_noop("Currency"),
        "approvers": gettext_noop("Approvers"),
        "gate_failures": gettext_noop("Failing gate cases"),
    }

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("name", metavar="NAME")
        power = parser.add_mutually_exclusive_group()
        power.add_argument("--enable", action="store_true")
        power.add_argument(
            "--disable",
            action="store_true",
            help=gettext("switch the action off immediately, even for confirmed requests that have not been sent"),
        )
        known = ", ".join((*_ALIASES, *_AMOUNTS, *_NUMBERS, "is_shadow"))
        parser.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="RULE=VALUE",
            help=gettext("{known}; an empty value means no limit").format(known=known),
        )
        parser.add_argument(
            "--gate", action="store_true", help=gettext("change nothing if a gate case would fail with the new rules")
        )
        parser.add_argument(
            "--yes",
            action="store_true",
            help=gettext(
                "set looser rules even if they would have let through requests that the current rules stopped"
            ),
        )
        parser.add_argument(
            "--allow", action="append", default=[], metavar="USERNAME", help=gettext("let this user approve")
        )
        parser.add_argument(
            "--forbid",
            action="append",
            default=[],
            metavar="USERNAME",
            help=gettext("revoke this user's right to approve"),
        )

    def facts_in(self, workspace: Workspace, options: dict[str, Any]) -> dict[str, Any]:
        action, actor = action_named(options["name"]), operator()
        changes = dict(_rule(text, workspace.currency) for text in options["set"])
        allowed = [_named(name, workspace, _members_of(workspace)) for name in options["allow"]]
        forbidden = [_named(name, workspace, _forbiddable(workspace, action)) for name in options["forbid"]]
        is_switched = options["enable"] or options["disable"]
        if changes or is_switched or allowed or forbidden:
            add_new_actions(actor=actor)
        policy = policy_of(action.name)
        if policy is None:
            return _as_dict(action.name, _default_rules(action, workspace), [])
        failing = _failing(policy, changes | ({"is_enabled": options["enable"]} if is_switched else {}))
        if failing and options["gate"]:
            raise GatesRefuse(failing)
        if changes and not options["yes"]:
            _refuse_unseen_loosening(policy, changes)
        if changes:
            change_rules(policy, actor=actor, **changes)
        if is_switched:
            switch(policy, is_enabled=options["enable"], actor=actor)
        if failing:
            with transaction.atomic():
                audit.record("policy.changed_against_gates", actor=actor, action=action.name, failed="; ".join(failing))
        for person in allowed:
            allow_approval(policy, person, actor=actor)
        for person in forbidden:
            forbid_approval(policy, person, actor=actor)
        policy_facts = _as_dict(action.name, rules_of(policy_of(action.name)), approvers_of(policy))
        return {**policy_facts, "gate_failures": failing} if failing else policy_facts


def _failing(policy: ActionPolicy, changes: dict[str, Any]) -> list[str]:
    """Return the cases of the gates that would fail with these changes."""
    was = rules_of(policy)
    return refusals(replace(was, **changes), was, policy.action) if changes else []


def _refuse_unseen_loosening(policy: ActionPolicy, changes: dict[str, Any]) -> None:
    """Raise CommandError if looser rules would have let past requests through; the console asks for confirmation
    instead.
    """
    was = rules_of(policy)
    proposed = replace(was, **changes)
    if not allows_more(proposed, was):
        return
    found = back_test(policy.action, current=was, proposed=proposed, days=_LOOK_BACK_DAYS)
    if found.newly_allowed:
        raise CommandError(
            ngettext(
                "Nothing was changed: these rules would have let through {number} request from the last {days} days "
                "that the rules in force refused or left to a person. Add --yes to set them anyway.",
                "Nothing was changed: these rules would have let through {number} requests from the last {days} days "
                "that the rules in force refused or left to a person. Add --yes to set them anyway.",
                found.newly_allowed,
            ).format(number=found.newly_allowed, days=_LOOK_BACK_DAYS)
        )


def _default_rules(action: Action, workspace: Workspace) -> Rules:
    rules = initial_rules(action)
    if rules is None:
        raise NotFound(
            gettext("{slug} does not offer {name}. Connect its shop with `manage.py merchant_connect` first.").format(
                slug=workspace.slug, name=action.name
            )
        )
    return rules


def _rule(text: str, currency: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    name = _ALIASES.get(name, name)
    if name in _AMOUNTS and (value == "" or is_amount_in(value, currency)):
        return name, Decimal(value) if value else None
    if name in _NUMBERS and (value == "" or (value.isascii() and value.isdigit() and len(value) <= 6)):
        return name, _within(name, int(value)) if value else None
    if name == "is_shadow" and value in ("true", "false"):
        return name, value == "true"
    raise CommandError(
        gettext(
            "“{text}” is not a valid rule. Use RULE=VALUE: an amount in {currency}, such as 150, for {amounts}; a "
            "whole "
            "number for {numbers}; true or false for is_shadow."
        ).format(text=text, currency=currency, amounts=", ".join(_AMOUNTS), numbers=", ".join(_NUMBERS))
    )


def _within(name: str, number: int) -> int:
    if name == "hold_minutes" and number > MAX_HOLD_MINUTES:
        raise CommandError(gettext("hold_minutes can be at most {most} (one week).").format(most=MAX_HOLD_MINUTES))
    return number


def _members_of(workspace: Workspace) -> QuerySet[User]:
    return User.objects.filter(memberships__workspace=workspace)


def _forbiddable(workspace: Workspace, action: Action) -> QuerySet[User]:
    """Return the members, and the former members who still have the right, since it would take effect again if they
    returned.
    """
    rights = ActionPolicyUserPermission.objects.filter(
        content_object__workspace=workspace, content_object__action=action.name
    )
    return User.objects.filter(Q(pk__in=_members_of(workspace)) | Q(pk__in=rights.values("user")))


def _named(username: str, workspace: Workspace, among: QuerySet[User]) -> User:
    person: User | None = among.filter(username=username).first()
    if person is None:
        raise NotFound(
            gettext("User {username} does not exist in {slug}.").format(username=username, slug=workspace.slug)
        )
    return person


def _as_dict(name: str, rules: Rules, approvers: Sequence[User]) -> dict[str, Any]:
    values = {rule: getattr(rules, _ALIASES.get(rule, rule)) for rule in (*_ALIASES, *_AMOUNTS, *_NUMBERS)}
    return {
        "action": name,
        "is_enabled": rules.is_enabled,
        "version": rules.number,
        "currency": rules.currency,
        **{
            rule: format_amount(value, rules.currency) if isinstance(value, Decimal) else value
            for rule, value in values.items()
        },
        "is_shadow": rules.is_shadow,
        "approvers": [person.username for person in approvers],
    }
