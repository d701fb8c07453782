"""The form for an action's rules: its fields, and the checks and warnings before the rules are saved."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from actions.approvers import approvers_of
from actions.backtest import BackTest, back_test
from actions.models import MAX_HOLD_MINUTES, ActionPolicy, ActionPolicyVersion
from actions.money import format_amount, is_amount_in
from actions.policy_store import requests_problem, rules_of
from actions.registry import action_in_force, code_actions
from actions.requests.rule_decision import Rules, allows_more
from actions.spec import Risk, WriteAction
from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.accounts.staff_principals import people_who_may
from supportbot.connection_test_limit import TooManyTests, count_test
from supportbot.console.actions import rule_checks
from supportbot.console.base import of_this_workspace
from supportbot.console.display import error_text
from supportbot.releases.models import MAX_REASON
from supportbot.releases.services import OVERRIDE

AMOUNTS = {
    "max_per_order": gettext_noop("Limit per order or other record"),
    "max_per_customer_day": gettext_noop("Daily limit per customer"),
    "max_per_customer_year": gettext_noop("Yearly limit per customer"),
    "max_per_workspace_day": gettext_noop("Limit per day in total"),
    "approval_above": gettext_noop("Approval required above"),
    "second_approval_above": gettext_noop("Two approvals required above"),
}
REQUESTS = "max_requests_per_customer_day"
NUMBERS = {
    REQUESTS: gettext_noop("Requests per customer per day"),
    "window_days": gettext_noop("Days after delivery"),
    "hold_minutes": gettext_noop("Minutes to withdraw a request before it is sent"),
}
TRY = "_try"  # the button that applies the entered rules to past requests without saving them
SEEN = "_seen"  # the hash of the rules whose effect the person has just seen
SPANS = (7, 30, 90, 365)  # days to look back
MAX_COUNTED = 100_000  # requests or days: more than anyone needs, and far below the column's limit


def _rule(name: str) -> Any:
    """Return the form field for an amount, with as many digits as its database column."""
    label = _({**AMOUNTS, **NUMBERS}[name])
    column: Any = ActionPolicyVersion._meta.get_field(name)
    most = MAX_HOLD_MINUTES if name == "hold_minutes" else MAX_COUNTED
    bounds = {"min_value": 0, "max_value": most} if name in NUMBERS else {"min_value": 0}
    return column.formfield(label=label, required=False, **bounds)


class ApproversField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # not generic at run time
    """The members who may approve an action's requests."""

    def __init__(self) -> None:
        super().__init__(
            queryset=User.objects.none(),
            required=False,
            widget=forms.CheckboxSelectMultiple,
            label=_("Who may approve"),
            help_text=_("Only supervisors and admins can be selected; no other role may approve."),
        )

    def offer_members(self, selected: Iterable[User] = ()) -> None:
        """Offer the members whose role allows them to approve requests. People who were selected under an earlier role
        stay visible, so that they can be deselected.
        """
        self._deciding = people_who_may("actions:approve")
        members = of_this_workspace(User.objects.filter(is_active=True)).order_by("username")
        self.queryset = members.filter(pk__in=[*self._deciding, *(user.pk for user in selected)])

    def label_from_instance(self, obj: Any) -> str:
        name: str = obj.display_name
        return name if obj.pk in self._deciding else gettext("{name} (role cannot approve)").format(name=name)


class RulesForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """The current rules as form fields. An empty limit means that there is no limit."""

    max_per_order = _rule("max_per_order")
    max_per_customer_day = _rule("max_per_customer_day")
    max_per_customer_year = _rule("max_per_customer_year")
    max_per_workspace_day = _rule("max_per_workspace_day")
    approval_above = _rule("approval_above")
    second_approval_above = _rule("second_approval_above")
    max_requests_per_customer_day = _rule("max_requests_per_customer_day")
    window_days = _rule("window_days")
    hold_minutes = _rule("hold_minutes")
    is_shadow = forms.BooleanField(
        label=_("Dry run"), required=False, help_text=_("Requests are judged, but nothing is carried out.")
    )
    approvers = ApproversField()

    override = forms.CharField(
        label=_("Reason for overriding the gates"),
        required=False,
        max_length=MAX_REASON,
        help_text=_("Only needed if these rules do not pass a gate. Kept in the audit trail."),
    )
    person: Staff  # the person who saves it
    overridden: rule_checks.Refusal | None = None  # the refusal that was overridden, with a reason
    effect: BackTest | None = None  # the effect of looser rules, which is shown before they are saved
    shown = ""  # a hash of the current and the entered rules (`seen`)

    class Meta:
        model = ActionPolicy
        fields = ["is_enabled"]
        labels = {"is_enabled": _("Enabled")}
        help_texts = {
            "is_enabled": _(
                "Turning it off takes effect immediately, even for confirmed requests that have not been sent."
            )
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _hidden_fields(self.instance):
            del self.fields[name]
        version = self.instance.current
        if version is not None:
            self.initial.update({name: getattr(version, name) for name in (*NUMBERS, "is_shadow")})
            self.initial.update({name: _exact(getattr(version, name), version.currency) for name in AMOUNTS})
        if is_look_up(self.instance) and "is_enabled" in self.fields:
            self.fields["is_enabled"].help_text = ""  # nothing is confirmed or sent
        action = action_in_force(self.instance.action)
        if REQUESTS in self.fields and action is not None and action.most_requests is not None:
            self.fields[REQUESTS].help_text = gettext(
                "At most {most}, the limit in its definition, because the action's call identifies no customer."
            ).format(most=action.most_requests)
        if "approvers" in self.fields:
            approvers: Any = self.fields["approvers"]
            self.initial["approvers"] = selected = approvers_of(self.instance)
            approvers.offer_members(selected)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        currency = self.instance.current.currency if self.instance.current else ""
        for name in AMOUNTS:
            if cleaned.get(name) is not None and not is_amount_in(self.data[name].strip(), currency):
                self.add_error(
                    name,
                    gettext("Enter an amount such as {amount}, in {currency}.").format(
                        amount=format_amount(Decimal(1000), currency), currency=currency
                    ),
                )
        if REQUESTS in cleaned and (problem := requests_problem(self.instance.action, cleaned[REQUESTS])):
            self.add_error(REQUESTS, problem)
        if not self.errors:
            self._count_trial() if self.is_trial else self._pass_gates()
        if not self.errors and not self.is_trial:
            self._show_loosening()
        return cleaned

    @property
    def is_trial(self) -> bool:
        return self.is_bound and TRY in self.data

    def is_valid(self) -> bool:
        """Return whether to save the rules.

        If they are only being tried, or allow more than before, the form is shown again.
        """
        return super().is_valid() and not self.is_trial and self.effect is None

    def rules(self) -> Rules:
        """Return the rules as they would be saved."""
        return replace(rules_of(self.instance), is_enabled=self.cleaned_data["is_enabled"], **self.changed_rules())

    def _count_trial(self) -> None:
        try:
            count_test(self.person.workspace_id)
        except TooManyTests as refusal:
            self.add_error(None, error_text(refusal))

    def seen(self) -> str:
        """Return a hash of the current rules and the rules that would be saved."""
        return hashlib.sha256(repr((rules_of(self.instance), self.rules())).encode()).hexdigest()

    def _show_loosening(self) -> None:
        """Store the effect of the rules if they would have allowed more past requests, unless the person has just seen
        it.
        """
        was, rules = rules_of(self.instance), self.rules()
        self.shown = self.seen()
        if not allows_more(rules, was) or self.data.get(SEEN) == self.shown:
            return
        found = back_test(self.instance.action, current=was, proposed=rules, days=span_of(self.data))
        self.effect = found if found.newly_allowed else None

    def _pass_gates(self) -> None:
        """Add an error if the rules do not pass the gates, unless a person with the right to override them gives a
        reason.
        """
        was, action, workspace = rules_of(self.instance), self.instance.action, self.person.workspace_id
        refusal = rule_checks.refused(self.rules(), was, action, workspace_id=workspace)
        if refusal is None:
            return
        if not self.cleaned_data["override"].strip():
            self.add_error(None, gettext("Nothing was saved.") + f" {refusal.words}")
            if self.person.may(OVERRIDE):
                self.add_error("override", gettext("Change the rules, or give a reason for saving them anyway."))
        elif not self.person.may(OVERRIDE):
            self.add_error("override", gettext("Your role does not allow overriding the gates."))
        else:
            self.overridden = refusal

    def changed_rules(self) -> dict[str, Any]:
        names = {*AMOUNTS, *NUMBERS, "is_shadow"}
        return {name: self.cleaned_data[name] for name in self.changed_data if name in names}


def span_of(posted: Mapping[str, Any]) -> int:
    given = posted.get("days", "")
    return int(given) if given in map(str, SPANS) else SPANS[1]


def _exact(amount: Decimal | None, currency: str) -> Decimal | None:
    """Return an amount with its currency's decimals. The column's three decimals could be mistaken for thousands."""
    return None if amount is None else Decimal(format_amount(amount, currency))


def is_look_up(policy: ActionPolicy | None) -> bool:
    action = action_in_force(policy.action) if policy else None
    return action is not None and action.is_read


def limits_of(policy: ActionPolicy | None) -> list[str]:
    """Return the limits that an action can have: amounts if it moves money, and days after delivery if it concerns the
    shop's own orders.
    """
    has_orders = policy is None or policy.action in code_actions()
    action = action_in_force(policy.action) if policy else None
    is_without_money = isinstance(action, WriteAction) and action.risk is not Risk.MONEY
    limits = [*NUMBERS] if is_without_money else [*AMOUNTS, *NUMBERS]
    return [name for name in limits if has_orders or name != "window_days"]


def _hidden_fields(policy: ActionPolicy) -> set[str]:
    """Return the rules that an action's page leaves out.

    The form must not contain them: the page does not post them, so saving would clear the stored values.
    """
    if is_look_up(policy):
        return {*AMOUNTS, *NUMBERS, "is_shadow", "approvers"}
    return {*AMOUNTS, *NUMBERS} - set(limits_of(policy))
