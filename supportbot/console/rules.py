"""Action rules: every change creates a new version, and all versions stay readable."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from actions.models import ActionPolicy, ActionPolicyVersion, name_of
from actions.money import Money, format_amount, format_money, is_amount_in
from actions.policies import allow_approval, approvers_of, change_rules, forbid_approval, switch
from actions.registry import all_actions
from supportbot.accounts.models import User
from supportbot.accounts.selectors import people_who_may
from supportbot.console.base import ScopedAdmin, of_this_workspace
from supportbot.console.entry import person_of
from supportbot.console.words import tag
from supportbot.handoff.desk.activity import actor_names

AMOUNTS = {
    "max_per_order": "Limit per order",
    "max_per_customer_day": "Limit per customer and day",
    "max_per_customer_year": "Limit per customer and year",
    "max_per_workspace_day": "Limit per day in total",
    "approval_above": "Approval required above",
}
READ = ["title", "state", "limits", "version", "approver_names"]  # shown to those without the right to change
NUMBERS = {
    "max_requests_per_customer_day": "Requests per customer and day",
    "window_days": "Days after delivery",
}
MOST_COUNTED = 100_000  # requests or days: more than anybody needs and far below the column's limit


def _rule(name: str) -> Any:
    """Return the form field of an amount, with as many digits as its column."""
    label = {**AMOUNTS, **NUMBERS}[name]
    column: Any = ActionPolicyVersion._meta.get_field(name)
    bounds = {"min_value": 0, "max_value": MOST_COUNTED} if name in NUMBERS else {"min_value": 0}
    return column.formfield(label=label, required=False, **bounds)


class RulesForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """The current rules as form fields. An empty limit means no limit."""

    max_per_order = _rule("max_per_order")
    max_per_customer_day = _rule("max_per_customer_day")
    max_per_customer_year = _rule("max_per_customer_year")
    max_per_workspace_day = _rule("max_per_workspace_day")
    approval_above = _rule("approval_above")
    max_requests_per_customer_day = _rule("max_requests_per_customer_day")
    window_days = _rule("window_days")
    is_shadow = forms.BooleanField(
        label="Dry run", required=False, help_text="Everything is decided, but nothing is executed."
    )
    approvers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label="Who may approve",
        help_text="Only supervisors and admins can be selected; no other role may approve.",
    )

    class Meta:
        model = ActionPolicy
        fields = ["is_enabled"]
        labels = {"is_enabled": "Enabled"}
        help_texts = {"is_enabled": "Off stops it at once, including confirmed requests that have not been sent."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        version = self.instance.current
        if version is not None:
            self.initial.update({name: getattr(version, name) for name in (*NUMBERS, "is_shadow")})
            self.initial.update({name: _exact(getattr(version, name), version.currency) for name in AMOUNTS})
        ticked, deciding = approvers_of(self.instance), people_who_may("actions:approve")
        members = of_this_workspace(User.objects.filter(is_active=True)).order_by("username")
        approvers: Any = self.fields["approvers"]
        # People selected under an earlier role stay visible, so that they can be deselected.
        approvers.queryset = members.filter(pk__in=[*deciding, *(user.pk for user in ticked)])
        approvers.label_from_instance = lambda user: (
            user.display_name if user.pk in deciding else f"{user.display_name}, whose role does not decide"
        )
        self.initial["approvers"] = ticked

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        currency = self.instance.current.currency if self.instance.current else ""
        for name in AMOUNTS:
            if cleaned.get(name) is not None and not is_amount_in(self.data[name].strip(), currency):
                self.add_error(
                    name, f"Write an amount such as {format_amount(Decimal(1000), currency)}, in {currency}."
                )
        return cleaned

    def changed_rules(self) -> dict[str, Any]:
        names = {*AMOUNTS, *NUMBERS, "is_shadow"}
        return {name: self.cleaned_data[name] for name in self.changed_data if name in names}


@admin.register(ActionPolicy)
class ActionPolicyAdmin(ScopedAdmin):
    one, many = "action rules", "Action rules"
    none_yet = "Actions appear once a shop is connected with manage.py merchant_connect."
    view_right = "actions:read"
    change_right = "rules:write"
    form = RulesForm
    change_form_template = "console/rules.html"
    list_display = ["title", "state", "approval", "day_limit", "version"]
    list_select_related = ["current"]
    ordering = ["action"]

    def name_of(self, row: ActionPolicy) -> str:
        return self.title(row)

    @admin.display(description="Action", ordering="action")
    def title(self, policy: ActionPolicy) -> str:
        action = all_actions().get(policy.action)
        return action.title["en"] if action else policy.action

    @admin.display(description="State")
    def state(self, policy: ActionPolicy) -> SafeString:
        if not policy.is_enabled:
            return tag("", "Off")
        return tag("warn", "Dry run") if policy.current and policy.current.is_shadow else tag("ok", "On")

    @admin.display(description="Approval required above")
    def approval(self, policy: ActionPolicy) -> str:
        return _money(policy.current, "approval_above", otherwise="never")

    @admin.display(description="Per day in total")
    def day_limit(self, policy: ActionPolicy) -> str:
        return _money(policy.current, "max_per_workspace_day", otherwise="no limit")

    @admin.display(description="Version")
    def version(self, policy: ActionPolicy) -> Any:
        return policy.current.number if policy.current else "none"

    @admin.display(description="Limits")
    def limits(self, policy: ActionPolicy) -> SafeString:
        version = policy.current
        amounts = [(label, _money(version, name, otherwise="no limit")) for name, label in AMOUNTS.items()]
        numbers = [(label, _said(getattr(version, name, None))) for name, label in NUMBERS.items()]
        return format_html_join("", "<p>{}: {}</p>", [*amounts, *numbers])

    @admin.display(description="Who may approve")
    def approver_names(self, policy: ActionPolicy) -> str:
        return ", ".join(person.display_name for person in approvers_of(policy)) or "nobody"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": READ})]
        return [
            (None, {"fields": ["is_enabled", "is_shadow"]}),
            ("Limits", {"fields": [*AMOUNTS, *NUMBERS], "description": _about_limits(obj)}),
            ("Approval", {"fields": ["approvers"]}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.has_change_permission(request, obj):
            return []
        return READ

    def save_model(self, request: HttpRequest, obj: ActionPolicy, form: RulesForm, change: bool) -> None:
        actor = name_of(person_of(request))
        if changes := form.changed_rules():
            change_rules(obj, actor=actor, **changes)
        if "is_enabled" in form.changed_data:
            switch(obj, is_enabled=obj.is_enabled, actor=actor)
        wanted, present = set(form.cleaned_data["approvers"]), set(approvers_of(obj))
        for person in wanted - present:
            allow_approval(obj, person, actor=actor)
        for person in present - wanted:
            forbid_approval(obj, person, actor=actor)

    def page_context(self, request: HttpRequest, row: ActionPolicy) -> dict[str, Any]:
        return {"versions": _versions(row)}


def _exact(amount: Decimal | None, currency: str) -> Decimal | None:
    """Return an amount with its currency's decimals: the column's three could be read as thousands."""
    return None if amount is None else Decimal(format_amount(amount, currency))


def _about_limits(policy: ActionPolicy | None) -> str:
    version = policy.current if policy else None
    return f"Amounts are in {version.currency}. An empty field is no limit." if version else ""


def _money(version: ActionPolicyVersion | None, rule: str, *, otherwise: str) -> str:
    amount = getattr(version, rule) if version else None
    return otherwise if amount is None or version is None else format_money(Money(amount, version.currency), "en")


def _versions(policy: ActionPolicy) -> list[dict[str, Any]]:
    """Return the versions, newest first, each with its changes and author."""
    rows = list(ActionPolicyVersion.objects.filter(policy=policy).order_by("number"))
    names = actor_names(row.created_by for row in rows)
    told = [
        {"row": row, "who": names[row.created_by], "changes": _changes(before, row)}
        for before, row in zip([None, *rows], rows, strict=False)
    ]
    return told[::-1]


def _changes(before: ActionPolicyVersion | None, after: ActionPolicyVersion) -> list[str]:
    if before is None:
        return ["The action's own limits"]
    labels = {**AMOUNTS, **NUMBERS, "is_shadow": "Dry run"}
    return [
        f"{label}: {_rule_of(before, name)} → {_rule_of(after, name)}"
        for name, label in labels.items()
        if getattr(before, name) != getattr(after, name)
    ]


def _rule_of(version: ActionPolicyVersion, name: str) -> str:
    if name in AMOUNTS:
        return _money(version, name, otherwise="never" if name == "approval_above" else "no limit")
    return _said(getattr(version, name))


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "no limit" if value is None else str(value)
