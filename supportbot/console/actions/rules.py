"""The pages for action rules. Every change creates a new version; old versions can still be read."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from actions.approvers import allow_approval, approvers_of, forbid_approval
from actions.audit import actor_of
from actions.backtest import BackTest, back_test
from actions.cards import title_of
from actions.definitions.models import ActionDefinition
from actions.models import ActionPolicy, ActionPolicyVersion
from actions.money import Money, format_money
from actions.policy_store import change_rules, rules_of, switch
from actions.registry import action_in_force
from actions.spec import Risk, WriteAction
from supportbot.console.actions import rule_checks
from supportbot.console.actions.backtest_rows import rows_of
from supportbot.console.actions.rules_form import AMOUNTS, NUMBERS, SPANS, RulesForm, is_look_up, limits_of, span_of
from supportbot.console.base import ScopedAdmin
from supportbot.console.definitions.page_frame import READ_RIGHT
from supportbot.console.display import tag
from supportbot.console.permissions import may
from supportbot.console.request_context import person_of, staff
from supportbot.handoff.desk.actor_names import actor_names
from supportbot.releases.selectors import gates
from supportbot.releases.services import OVERRIDE
from supportbot.team_formats import active_language, labelled

READ = ["title", "state", "limits", "version", "approver_names"]  # shown to people without the right to change them
_OF_WRITES = ("limits", "approver_names")
_RULE_OF = {
    "limit_order": "max_per_order",
    "limit_subject": "max_per_order",
    "limit_customer_day": "max_per_customer_day",
    "limit_customer_year": "max_per_customer_year",
    "limit_workspace_day": "max_per_workspace_day",
    "limit_count_day": "max_requests_per_customer_day",
    "shadow_mode": "is_shadow",
}


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
        rows = [
            (gettext({**AMOUNTS, **NUMBERS}[name]), gettext("none") if version is None else _rule_of(version, name))
            for name in limits_of(policy)
        ]
        return format_html_join("", "<p>{}</p>", ((labelled(name, limit),) for name, limit in rows))

    @admin.display(description=_("Who may approve"))
    def approver_names(self, policy: ActionPolicy) -> str:
        return ", ".join(person.display_name for person in approvers_of(policy)) or gettext("nobody")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if not self.has_change_permission(request, obj):
            return [(None, {"fields": [name for name in READ if not is_look_up(obj) or name not in _OF_WRITES]})]
        if is_look_up(obj):  # a look-up changes nothing, so there is nothing to limit or approve
            return [(None, {"fields": ["is_enabled", *(["override"] if self._may_override(request) else [])]})]
        return [
            (None, {"fields": ["is_enabled", "is_shadow"]}),
            (_("Limits"), {"fields": limits_of(obj), "description": _about_limits(obj)}),
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
        actor = actor_of(person_of(request))
        if form.overridden is not None:
            reason = form.cleaned_data["override"].strip()
            rule_checks.record_override(form.overridden, action=obj.action, reason=reason, actor=actor)
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
        if "_continue" not in request.POST and (too_few := rule_checks.approvers_warning(saved)):
            messages.warning(request, too_few)  # if the person stays on the page, it shows the warning anyway

    def page_context(self, request: HttpRequest, row: ActionPolicy) -> dict[str, Any]:
        too_few = rule_checks.approvers_warning(row) if not is_look_up(row) else ""
        definition = ActionDefinition.objects.filter(name=row.action).first()
        return {
            "definition": definition if may(staff(request), READ_RIGHT) else None,
            "is_look_up": is_look_up(row),
            "versions": _versions(row),
            "spans": SPANS,
            "span": span_of(request.POST),
            "too_few": too_few,
        }

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        form = context["adminform"].form
        if isinstance(form, RulesForm) and form.is_trial and not form.errors:
            context["tried"] = _tried(form, span_of(request.POST))
        elif isinstance(form, RulesForm) and form.effect is not None:
            context |= {"tried": _shown(form, form.effect), "seen": form.shown}
        answer: HttpResponse = super().render_change_form(request, context, *args, **kwargs)
        return answer


def _tried(form: RulesForm, days: int) -> dict[str, Any]:
    """Return the past requests that would have been decided differently under the rules in the form."""
    policy = ActionPolicy.objects.select_related("current").get(pk=form.instance.pk)
    return _shown(form, back_test(policy.action, current=rules_of(policy), proposed=form.rules(), days=days))


def _shown(form: RulesForm, found: BackTest) -> dict[str, Any]:
    rows = rows_of(found.changes, _rule_label)
    return {"found": found, "rows": rows, "without_window": "window_days" in form.changed_data}


def _rule_label(code: str) -> str:
    labels = {**AMOUNTS, **NUMBERS, "is_shadow": gettext_noop("Dry run"), "is_enabled": gettext_noop("Off")}
    return gettext(labels[_RULE_OF.get(code, "is_enabled")])


def _about_limits(policy: ActionPolicy | None) -> str:
    version = policy.current if policy else None
    if version is None:
        return ""
    action = action_in_force(policy.action) if policy else None
    if isinstance(action, WriteAction) and action.risk is not Risk.MONEY:
        return gettext("An empty field means no limit.")
    return gettext("Amounts are in {currency}. An empty field means no limit.").format(currency=version.currency)


def _money(version: ActionPolicyVersion | None, rule: str, *, otherwise: str) -> str:
    amount = getattr(version, rule) if version else None
    return (
        otherwise
        if amount is None or version is None
        else format_money(Money(amount, version.currency), active_language())
    )


def _versions(policy: ActionPolicy) -> list[dict[str, Any]]:
    """Return the versions, newest first, each with what it changed and who made it."""
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
        labelled(gettext(label), f"{_rule_of(before, name)} → {_rule_of(after, name)}")
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
    """Return the text shown if an amount is not set."""
    return gettext("never") if name in ("approval_above", "second_approval_above") else gettext("no limit")


def _value_label(value: Any) -> str:
    if isinstance(value, bool):
        return gettext("on") if value else gettext("off")
    return gettext("no limit") if value is None else str(value)
