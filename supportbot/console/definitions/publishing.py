"""Publishing in the console: the differences from the published version, the results of the cases, and the second
person.
"""

from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.definitions import services
from actions.definitions.models import ActionDefinition
from actions.models import ActionPolicy
from supportbot.accounts.models import User
from supportbot.console.definitions.cases import results_of
from supportbot.console.definitions.checklist import checklist
from supportbot.console.definitions.common import frame, opened
from supportbot.console.definitions.versions import difference
from supportbot.console.entry import person_of
from supportbot.console.words import sentence
from supportbot.errors import SupportBotError


class PublishForm(forms.Form):
    number = forms.IntegerField(widget=forms.HiddenInput)
    reason = forms.CharField(required=False, max_length=300, label=_("Reason"), help_text=_("Kept in the audit trail."))


def publish_page(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    definition, newest = opened(request, definition_id)
    person = person_of(request)
    form = PublishForm(request.POST if request.method == "POST" else None, initial={"number": newest.number})
    if request.method == "POST" and form.is_valid() and _is_published(definition, form, person):
        words = gettext("Version {number} is published. Check its rules next.")
        messages.success(request, words.format(number=form.cleaned_data["number"]))
        rules = ActionPolicy.objects.filter(action=definition.name).first()
        if rules is not None:
            return redirect("admin:actions_actionpolicy_change", rules.pk)
        return redirect("admin:actions_actiondefinition_change", definition.pk)
    lacks, problems = services.missing_in(newest.document), services.obstacles(newest)
    results = results_of(definition, newest)
    is_new = definition.current_id != newest.pk or definition.state != ActionDefinition.State.PUBLISHED
    fails = any(one["failure"] for one in results)
    lacks_cases = services.needs_cases(newest)
    by_other = services.needs_second_person(newest, person)
    live = definition.current
    context = {
        "form": form,
        "newest": newest,
        "live": live,
        "is_new": is_new,
        "gaps": checklist(newest.document, lacks).gaps,
        "wrong": [{"gap": gap, "texts": problems[gap.path]} for gap in checklist(newest.document, problems).gaps],
        "results": results,
        "fails": fails,
        "by_other": by_other,
        "with_reason": services.needs_reason(newest, person),
        "can_publish": is_new and not lacks and not problems and not fails and not by_other and not lacks_cases,
        "lacks_cases": lacks_cases,
        "rows": difference(live.document if live else None, newest.document),
        "is_live": definition.state == ActionDefinition.State.PUBLISHED,
    }
    page = frame(request, gettext("Publish"), definition, **context)
    return render(request, "console/definitions/publish.html", page, status=400 if request.method == "POST" else 200)


def _is_published(definition: ActionDefinition, form: PublishForm, person: User) -> bool:
    """Publish the version of a valid form; return whether that succeeded; otherwise, the form says why not."""
    told = form.cleaned_data
    try:
        services.publish(definition.name, number=told["number"], person=person, reason=told["reason"])
    except SupportBotError as refusal:
        form.add_error("reason" if "reason" in refusal.fields else None, sentence(refusal))
        return False
    return True


def switch_off(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    definition, _newest = opened(request, definition_id)
    services.switch_off(definition.name, person=person_of(request))
    messages.success(
        request, gettext("{name} is switched off. Nothing more is sent for it.").format(name=definition.name)
    )
    return redirect("admin:actions_actiondefinition_change", definition.pk)
