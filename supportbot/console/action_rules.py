"""Action rules: every change creates a new version, and all versions stay readable."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from actions.backtest import BackTest, back_test
from actions.cards import title_of
from actions.decisions import Rules, allows_more
from actions.models import MAX_HOLD_MINUTES, ActionPolicy, ActionPolicyVersion, name_of
from actions.money import Money, format_amount, format_money, is_amount_in
from actions.policies import allow_approval, approvers_of, change_rules, forbid_approval, rules_of, switch
from actions.registry import action_in_force, code_actions
from actions.spec import Risk, WriteAction
from supportbot.accounts.models import User
from supportbot.accounts.principals import Staff
from supportbot.accounts.selectors import people_who_may
from supportbot.connection_test_limit import TooManyTests, count_test
from supportbot.console import action_rule_checks
from supportbot.console.backtests import rows_of
from supportbot.console.base import ScopedAdmin, of_this_workspace
from supportbot.console.display import sentence, tag
from supportbot.console.request_context import person_of, staff
from supportbot.handoff.desk.activity import actor_names
from supportbot.releases.selectors import gates
from supportbot.releases.services import MAX_REASON, OVERRIDE
from supportbot.team_formats import active_language

AMOUNTS = {
    "max_per_order": gettext_noop("Limit per order or other record"),
    "max_per_customer_day": gettext_noop("Limit per customer and day"),
    "max_per_customer_year": gettext_noop("Limit per customer and year"),
    "max_per_workspace_day": gettext_noop("Limit per day in total"),
    "approval_above": gettext_noop("Approval required above"),
    "second_approval_above": gettext_noop("Approval by two people above"),
}
READ = ["title", "state", "limits", "version", "approver_names"]  # shown to people without the right to change them
_OF_WRITES = ("limits", "approver_names")
NUMBERS = {
    "max_requests_per_customer_day": gettext_noop("Requests per customer and day"),
    "window_days": gettext_noop("Days after delivery"),
    "hold_minutes": gettext_noop("Minutes to withdraw a request before it is sent"),
}
TRY = "_try"  # the button that judges past requests by the entered rules without saving them
SEEN = "_seen"  # the rules whose effect the person has just been shown
SPANS = (7, 30, 90, 365)  # days to look back
_RULE_OF = {
    "limit_order": "max_per_order",
    "limit_subject": "max_per_order",
    "limit_customer_day": "max_per_customer_day",
    "limit_customer_year": "max_per_customer_year",
    "limit_workspace_day": "max_per_workspace_day",
    "limit_count_day": "max_requests_per_customer_day",
    "shadow_mode": "is_shadow",
}
MAX_COUNTED = 100_000  # requests or days: more than anybody needs, and far below the column's limit


def _rule(name: str) -> Any:
    """Return the form field for an amount, with as many digits as its column."""
    label = _({**AMOUNTS, **NUMBERS}[name])
    column: Any = ActionPolicyVersion._meta.get_field(name)
    most = MAX_HOLD_MINUTES if name == "hold_minutes" else MAX_COUNTED
    bounds = {"min_value": 0, "max_value": most} if name in NUMBERS else {"min_value": 0}
    return column.formfield(label=label, required=False, **bounds)


class RulesForm(forms.ModelForm):  # type: ignore[type-arg]  # not generic at run time
    """The current rules as form fields. An empty limit means no limit."""

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
    approvers = forms.ModelMultipleChoiceField(
        queryset=User.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Who may approve"),
        help_text=_("Only supervisors and admins can be selected; no other role may approve."),
    )

    override = forms.CharField(
        label=_("Reason for overriding the gates"),
        required=False,
        max_length=MAX_REASON,
        help_text=_("Only needed if a gate refuses these rules. Kept in the audit trail."),
    )
    person: Staff  # the person who saves it
    overridden: action_rule_checks.Refusal | None = None  # what a reason was given to override
    effect: BackTest | None = None  # of looser rules, to be seen before they are saved
    shown = ""  # which rules these are

    class Meta:
        model = ActionPolicy
        fields = ["is_enabled"]
        labels = {"is_enabled": _("Enabled")}
        help_texts = {"is_enabled": _("Off stops it at once, including confirmed requests that have not been sent.")}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in _hidden_fields(self.instance):
            del self.fields[name]
        version = self.instance.current
        if version is not None:
            self.initial.update({name: getattr(version, name) for name in (*NUMBERS, "is_shadow")})
            self.initial.update({name: _exact(getattr(version, name), version.currency) for name in AMOUNTS})
        if "approvers" in self.fields:
            self._offer_approvers()

    def _offer_approvers(self) -> None:
        selected, deciding = approvers_of(self.instance), people_who_may("actions:approve")
        members = of_this_workspace(User.objects.filter(is_active=True)).order_by("username")
        approvers: Any = self.fields["approvers"]
        # People selected under an earlier role stay visible, so that they can be deselected.
        approvers.queryset = members.filter(pk__in=[*deciding, *(user.pk for user in selected)])
        approvers.label_from_instance = lambda user: (
            user.display_name
            if user.pk in deciding
            else gettext("{name} (role cannot approve)").format(name=user.display_name)
        )
        self.initial["approvers"] = selected

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
        if not self.errors:
            self._count_trial() if self.is_trial else self._pass_gates()
        if not self.errors and not self.is_trial:
            self._show_loosening()
        return cleaned

    @property
    def is_trial(self) -> bool:
        return self.is_bound and TRY in self.data

    def is_valid(self) -> bool:
        """Return whether to save the rules; rules that are only tried, or allow more than expected, are shown again."""
        return super().is_valid() and not self.is_trial and self.effect is None

    def rules(self) -> Rules:
        """Return the rules as they would be saved."""
        return replace(rules_of(self.instance), is_enabled=self.cleaned_data["is_enabled"], **self.changed_rules())

    def _count_trial(self) -> None:
        try:
            count_test(self.person.workspace_id)
        except TooManyTests as refusal:
            self.add_error(None, sentence(refusal))

    def seen(self) -> str:
        """Return a hash of the rules as they would be saved, and of those in force."""
        return hashlib.sha256(repr((rules_of(self.instance), self.rules())).encode()).hexdigest()

    def _show_loosening(self) -> None:
        """Keep the effect of rules that would let past requests through, unless the person has just seen it."""
        was, rules = rules_of(self.instance), self.rules()
        self.shown = self.seen()
        if not allows_more(rules, was) or self.data.get(SEEN) == self.shown:
            return
        found = back_test(self.instance.action, current=was, proposed=rules, days=_span(self.data))
        self.effect = found if found.newly_allowed else None

    def _pass_gates(self) -> None:
        """Add an error if the gates refuse the rules and nobody with the right gives a reason to override them."""
        was, action, workspace = rules_of(self.instance), self.instance.action, self.person.workspace_id
        refusal = action_rule_checks.refused(self.rules(), was, action, workspace_id=workspace)
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


@admin.register(ActionPolicy)
class ActionPolicyAdmin(ScopedAdmin):
    many = _("Action rules")
    none_yet = _("Actions appear once a shop is connected with manage.py merchant_connect.")
    view_right = "actions:read"
    change_right = "rules:write"
    form = RulesForm
    change_form_template = "console/rules.html"
    list_display = ["title", "state", "approval", "day_limit", "version"]
    list_select_related = ["current"]
    ordering = ["action"]

    def name_of(self, row: ActionPolicy) -> str:
        return self.title(row)

    @admin.display(description=_("Action"), ordering="action")
    def title(self, policy: ActionPolicy) -> str:
        return title_of(policy.action, active_language())

    @admin.display(description=_("State"))
    def state(self, policy: ActionPolicy) -> SafeString:
        if not policy.is_enabled:
            return tag("", gettext("Off"))
        is_shadow = policy.current is not None and policy.current.is_shadow
        return tag("warn", gettext("Dry run")) if is_shadow else tag("ok", gettext("On"))

    @admin.display(description=_("Approval required above"))
    def approval(self, policy: ActionPolicy) -> str:
        return _money(policy.current, "approval_above", otherwise=gettext("never"))

    @admin.display(description=_("Per day in total"))
    def day_limit(self, policy: ActionPolicy) -> str:
        return _money(policy.current, "max_per_workspace_day", otherwise=gettext("no limit"))

    @admin.display(description=_("Version"))
    def version(self, policy: ActionPolicy) -> Any:
        return policy.current.number if policy.current else gettext("none")

    @admin.display(description=_("Limits"))
    def limits(self, policy: ActionPolicy) -> SafeString:
        version = policy.current
        amounts = [(gettext(label), _money(version, name, otherwise=_without(name))) for name, label in AMOUNTS.items()]
        numbers = [(gettext(label), _number(version, name)) for name, label in NUMBERS.items()]
        return format_html_join("", "<p>{}: {}</p>", [*amounts, *numbers])

    @admin.display(description=_("Who may approve"))
    def approver_names(self, policy: ActionPolicy) -> str:
        return ", ".join(person.display_name for person in approvers_of(policy)) or gettext("nobody")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": [name for name in READ if not _is_look_up(obj) or name not in _OF_WRITES]})]
        if _is_look_up(obj):  # nothing is requested, so there is nothing to limit or approve
            return [(None, {"fields": ["is_enabled", *(["override"] if self._may_override(request) else [])]})]
        return [
            (None, {"fields": ["is_enabled", "is_shadow"]}),
            (_("Limits"), {"fields": _limits_of(obj), "description": _about_limits(obj)}),
            (_("Approval"), {"fields": ["approvers", *(["override"] if self._may_override(request) else [])]}),
        ]

    def _may_override(self, request: HttpRequest) -> bool:
        return bool(gates()) and staff(request).may(OVERRIDE)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        form.person = staff(request)
        return form

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if self.has_change_permission(request, obj):
            return []
        return READ

    def save_model(self, request: HttpRequest, obj: ActionPolicy, form: RulesForm, change: bool) -> None:
        actor = name_of(person_of(request))
        if form.overridden is not None:
            reason = form.cleaned_data["override"].strip()
            action_rule_checks.record_override(form.overridden, action=obj.action, reason=reason, actor=actor)
        if changes := form.changed_rules():
            change_rules(obj, actor=actor, **changes)
        if "is_enabled" in form.changed_data:
            switch(obj, is_enabled=obj.is_enabled, actor=actor)
        present = set(approvers_of(obj))
        wanted = set(form.cleaned_data.get("approvers", present))
        for person in wanted - present:
            allow_approval(obj, person, actor=actor)
        for person in present - wanted:
            forbid_approval(obj, person, actor=actor)
        saved = ActionPolicy.objects.select_related("current").get(pk=obj.pk)
        if "_continue" not in request.POST and (too_few := action_rule_checks.approvers_warning(saved)):
            messages.warning(request, too_few)  # the rules' own page shows it by itself

    def page_context(self, request: HttpRequest, row: ActionPolicy) -> dict[str, Any]:
        too_few = action_rule_checks.approvers_warning(row) if not _is_look_up(row) else ""
        return {
            "is_look_up": _is_look_up(row),
            "versions": _versions(row),
            "spans": SPANS,
            "span": _span(request.POST),
            "too_few": too_few,
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        if isinstance(form, RulesForm) and form.is_trial and not form.errors:
            context["tried"] = _tried(form, _span(request.POST))
        elif isinstance(form, RulesForm) and form.effect is not None:
            context |= {"tried": _shown(form, form.effect), "seen": form.shown}
        answer: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return answer


def _span(posted: Mapping[str, Any]) -> int:
    given = posted.get("days", "")
    return int(given) if given in map(str, SPANS) else SPANS[1]


def _tried(form: RulesForm, days: int) -> dict[str, Any]:
    """Return what the entered rules would have decided differently on past requests."""
    policy = ActionPolicy.objects.select_related("current").get(pk=form.instance.pk)
    return _shown(form, back_test(policy.action, current=rules_of(policy), proposed=form.rules(), days=days))


def _shown(form: RulesForm, found: BackTest) -> dict[str, Any]:
    rows = rows_of(found.changes, _rule_label)
    return {"found": found, "rows": rows, "without_window": "window_days" in form.changed_data}


def _rule_label(code: str) -> str:
    labels = {**AMOUNTS, **NUMBERS, "is_shadow": gettext_noop("Dry run"), "is_enabled": gettext_noop("Off")}
    return gettext(labels[_RULE_OF.get(code, "is_enabled")])


def _exact(amount: Decimal | None, currency: str) -> Decimal | None:
    """Return an amount with its currency's decimals, since the column's three could be mistaken for thousands."""
    return None if amount is None else Decimal(format_amount(amount, currency))


def _is_look_up(policy: ActionPolicy | None) -> bool:
    action = action_in_force(policy.action) if policy else None
    return action is not None and action.is_read


def _limits_of(policy: ActionPolicy | None) -> list[str]:
    """Return the limits that an action can have: the days after delivery are those of the shop's own orders."""
    has_orders = policy is None or policy.action in code_actions()
    return [name for name in (*AMOUNTS, *NUMBERS) if has_orders or name != "window_days"]


def _hidden_fields(policy: ActionPolicy) -> set[str]:
    """Return the rules that an action's page leaves out: never posted, they would clear what is stored."""
    if _is_look_up(policy):
        return {*AMOUNTS, *NUMBERS, "is_shadow", "approvers"}
    return {*AMOUNTS, *NUMBERS} - set(_limits_of(policy))


def _about_limits(policy: ActionPolicy | None) -> str:
    version = policy.current if policy else None
    if version is None:
        return ""
    action = action_in_force(policy.action) if policy else None
    if isinstance(action, WriteAction) and action.risk is not Risk.MONEY:
        return gettext("This action moves no money, so amounts mean nothing to it. An empty field means no limit.")
    return gettext("Amounts are in {currency}. An empty field means no limit.").format(currency=version.currency)


def _money(version: ActionPolicyVersion | None, rule: str, *, otherwise: str) -> str:
    amount = getattr(version, rule) if version else None
    return (
        otherwise
        if amount is None or version is None
        else format_money(Money(amount, version.currency), active_language())
    )


def _versions(policy: ActionPolicy) -> list[dict[str, Any]]:
    """Return the versions, newest first, each with its changes and author."""
    rows = list(ActionPolicyVersion.objects.filter(policy=policy).order_by("number"))
    names = actor_names(row.created_by for row in rows)
    versions = [
        {"row": row, "who": names[row.created_by], "changes": _changes(before, row)}
        for before, row in zip([None, *rows], rows, strict=False)
    ]
    return versions[::-1]


def _changes(before: ActionPolicyVersion | None, after: ActionPolicyVersion) -> list[str]:
    if before is None:
        return [gettext("The action's own limits")]
    labels = {**AMOUNTS, **NUMBERS, "is_shadow": gettext_noop("Dry run")}
    return [
        f"{gettext(label)}: {_rule_of(before, name)} → {_rule_of(after, name)}"
        for name, label in labels.items()
        if getattr(before, name) != getattr(after, name)
    ]


def _rule_of(version: ActionPolicyVersion, name: str) -> str:
    if name in AMOUNTS:
        return _money(version, name, otherwise=_without(name))
    return _number(version, name) if name in NUMBERS else _value_label(getattr(version, name))


def _number(version: ActionPolicyVersion | None, name: str) -> str:
    value = getattr(version, name, None)
    return gettext("none") if name == "hold_minutes" and not value else _value_label(value)


def _without(name: str) -> str:
    """Return the text for an amount that is not set."""
    return gettext("never") if name in ("approval_above", "second_approval_above") else gettext("no limit")


def _value_label(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    return gettext("no limit") if value is None else str(value)
