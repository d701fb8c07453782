"""Publishing in the console: the differences from the published version, the cases' results, and approval by a second
person. Also switching off actions, and deleting drafts that were never published.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from actions.approvers import allow_approval
from actions.audit import actor_of
from actions.definitions import publishing, services
from actions.definitions.backtest import DAYS, judge_past_requests
from actions.definitions.defined_action import DefinedWrite
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.definitions.parsing.document import parse_document
from actions.definitions.published import action_from
from actions.definitions.selectors import definition_with_id
from actions.definitions.services import delete_drafts
from actions.models import ActionPolicy, ActionRequest
from supportbot.accounts.models import User
from supportbot.connection_test_limit import TooManyTests, count_test
from supportbot.console.actions.backtest_rows import rows_of
from supportbot.console.actions.rule_checks import approvers_warning_before
from supportbot.console.actions.rules_form import ApproversField
from supportbot.console.definitions.cases import results_of
from supportbot.console.definitions.checklist import checklist, missing_parts, warnings_about
from supportbot.console.definitions.page_frame import RULES_RIGHT, WRITE_RIGHT, frame, opened
from supportbot.console.definitions.versions import difference
from supportbot.console.display import error_text
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff
from supportbot.errors import SupportBotError


class PublishForm(forms.Form):
    number = forms.IntegerField(widget=forms.HiddenInput)
    is_dry_run = forms.BooleanField(
        label=_("Start as a dry run"),
        required=False,
        initial=True,
        help_text=_("Requests are judged, but nothing is carried out until you end the dry run in the rules."),
    )
    reason = forms.CharField(required=False, max_length=300, label=_("Reason"), help_text=_("Kept in the audit trail."))
    approvers = ApproversField()

    def __init__(self, *args: Any, with_approvers: bool, needs_reason: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        reason: Any = self.fields["reason"]
        reason.required = needs_reason
        reason.error_messages["required"] = gettext("Explain why, briefly.")
        if not with_approvers:
            del self.fields["approvers"]
            return
        approvers: Any = self.fields["approvers"]
        approvers.offer_members()


def publish_page(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    definition, newest = opened(request, definition_id)
    person = person_of(request)
    begins = publishing.begins(newest)
    form = PublishForm(
        request.POST if request.method == "POST" else None,
        initial={"number": newest.number},
        needs_reason=publishing.needs_reason(newest, person),
        with_approvers=begins and may(staff(request), RULES_RIGHT),
    )
    if request.method == "POST" and form.is_valid() and _is_published(definition, form, person):
        return _to_its_rules(request, definition, form, begins=begins)
    if "reason" in form.errors:
        form.fields["reason"].widget.attrs["autofocus"] = True
    context = {"form": form, "begins": begins, "days": DAYS, **_obstacles_shown(definition, newest, person)}
    is_ready = context["is_ready"]
    context["too_few"] = _lack_of_approvers(newest) if is_ready else ""
    context["past"] = past_requests(definition, newest) if is_ready and may(staff(request), WRITE_RIGHT) else None
    page = frame(request, gettext("Publish"), definition, **context)
    return render(request, "console/definitions/publish.html", page, status=400 if request.method == "POST" else 200)


def _obstacles_shown(definition: ActionDefinition, newest: ActionDefinitionVersion, person: User) -> dict[str, Any]:
    """Return the page's template context: the version, and everything that prevents it from being published."""
    problems = publishing.obstacles(newest)
    results = results_of(definition, newest)
    is_live = definition.state == ActionDefinition.State.PUBLISHED
    is_new = definition.current_id != newest.pk or not is_live
    fails = any(one["failure"] for one in results)
    lacks_cases = publishing.needs_cases(newest)
    by_other = publishing.needs_second_person(newest, person)
    is_ready = is_new and not services.missing_in(newest.document) and not problems
    return {
        "newest": newest,
        "live": definition.current,
        "is_new": is_new,
        "is_ready": is_ready,
        "gaps": missing_parts(newest.document).gaps,
        "warnings": warnings_about(newest.document).gaps,
        "wrong": [{"gap": gap, "texts": problems[gap.path]} for gap in checklist(newest.document, problems).gaps],
        "results": results,
        "fails": fails,
        "by_other": by_other,
        "rules": ActionPolicy.objects.filter(action=definition.name).first(),
        "with_reason": publishing.needs_reason(newest, person),
        "can_publish": is_ready and not fails and not by_other and not lacks_cases,
        "lacks_cases": lacks_cases,
        "rows": difference(definition.current, newest),
        "is_live": is_live,
    }


def _to_its_rules(
    request: HttpRequest, definition: ActionDefinition, form: PublishForm, *, begins: bool
) -> HttpResponse:
    words = gettext("Version {number} is published. Check its rules next.")
    if begins and form.cleaned_data["is_dry_run"]:
        words = gettext("Version {number} is published as a dry run. Check its rules next.")
    messages.success(request, words.format(number=form.cleaned_data["number"]))
    rules = ActionPolicy.objects.filter(action=definition.name).first()
    if rules is not None:
        return redirect("admin:actions_actionpolicy_change", rules.pk)
    return redirect("admin:actions_actiondefinition_change", definition.pk)


def _lack_of_approvers(newest: ActionDefinitionVersion) -> str:
    """Return a warning if a version leaves decisions to people but too few people may decide."""
    action = action_from(parse_document(newest.document), newest.number)
    policy = ActionPolicy.objects.select_related("current").filter(action=action.name).first()
    return approvers_warning_before(policy, action) if isinstance(action, DefinedWrite) else ""


def past_requests(definition: ActionDefinition, newest: ActionDefinitionVersion) -> dict[str, Any] | None:
    """Return the past requests that a new version would decide differently; None if no version is in force or nothing
    has been requested. The version's look-ups are sent, so this counts as a test.
    """
    live = definition.current
    if live is None or not ActionRequest.objects.filter(action=definition.name).exists():
        return None
    was = action_from(parse_document(live.document, as_made=True), live.number)
    new = action_from(parse_document(newest.document), newest.number)
    if not isinstance(was, DefinedWrite) or not isinstance(new, DefinedWrite):
        return None
    try:
        count_test(definition.workspace_pk)
    except TooManyTests as refusal:
        return {"problem": error_text(refusal)}
    found = judge_past_requests(was, new)
    return {"found": found, "rows": rows_of(found.changes, str)}


def _is_published(definition: ActionDefinition, form: PublishForm, person: User) -> bool:
    """Publish the version that a valid form specifies, and return True.

    If it cannot be published, show why in the form and return False.
    """
    cleaned = form.cleaned_data
    try:
        with transaction.atomic():  # a version must never be in force without its approvers
            publishing.publish(
                definition.name,
                number=cleaned["number"],
                person=person,
                reason=cleaned["reason"],
                is_dry_run=cleaned["is_dry_run"],
            )
            policy = ActionPolicy.objects.filter(action=definition.name).first()
            for approver in cleaned.get("approvers", ()):
                assert policy is not None  # publishing has created it
                allow_approval(policy, approver, actor=actor_of(person))
    except SupportBotError as refusal:
        form.add_error("reason" if "reason" in refusal.fields else None, error_text(refusal))
        return False
    return True


def switch_off(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    definition, _newest = opened(request, definition_id)
    publishing.switch_off(definition.name, person=person_of(request))
    messages.success(
        request, gettext("{name} is switched off. Nothing more is sent for it.").format(name=definition.name)
    )
    return redirect("admin:actions_actiondefinition_change", definition.pk)


def delete_page(request: HttpRequest) -> HttpResponse:
    """On a POST, delete the selected drafts. Otherwise, ask for confirmation to delete the action given by `one`."""
    needs(request, WRITE_RIGHT)
    if request.method != "POST":
        return confirm_deletion(request, [definition_with_id(_id(request.GET.get("one", "")))])
    names = delete_drafts(_names(request), person=person_of(request))
    if names:
        text = ngettext("{number} draft deleted.", "{number} drafts deleted.", len(names))
        messages.success(request, text.format(number=len(names)))
    else:
        messages.warning(request, gettext("Nothing was deleted."))
    return redirect("admin:actions_actiondefinition_changelist")


def confirm_deletion(request: HttpRequest, chosen: Iterable[ActionDefinition]) -> HttpResponse:
    """Show which of the chosen actions would be deleted, and which stay because they have been published."""
    needs(request, WRITE_RIGHT)
    by_name = sorted(chosen, key=lambda one: one.name)
    context: dict[str, Any] = {
        "drafts": [one.name for one in by_name if one.is_unpublished],
        "staying": [one.name for one in by_name if not one.is_unpublished],
    }
    title = gettext("Delete drafts")
    return render(request, "console/definitions/delete.html", frame(request, title, **context))


def _names(request: HttpRequest) -> list[str]:
    return [name for name in request.POST.getlist("name") if name.isprintable()]  # PostgreSQL accepts no NUL


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        return UUID(int=0)  # no definition has this id, so the page is not found
