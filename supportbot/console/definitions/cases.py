"""Recorded cases in the console: recording them from test calls, editing them, and running them together."""

import json
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from actions.definitions.cases import RecordedCase, failures_of, keep_case, remove_case
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.parsing.document import parse_document
from actions.definitions.published import action_from
from actions.definitions.selectors import case_with_id
from actions.definitions.services import missing_in
from supportbot.console.definitions.box_values import ABSENT, JsonText
from supportbot.console.definitions.page_frame import actor_of_request, frame, opened
from supportbot.console.definitions.trials import pretty
from supportbot.errors import InvalidInput

_TALL = {"class": "mono", "spellcheck": "false", "dir": "ltr"}


class CaseForm(forms.Form):
    name = forms.CharField(max_length=120, label=_("Name"), help_text=_("For example: A packed order is rejected."))
    sub = forms.CharField(max_length=200, label=_("Customer"))
    email = forms.CharField(max_length=254, required=False, label=_("Customer's e-mail"))
    arguments = JsonText(required=False, label=_("Arguments"), widget=forms.Textarea(attrs={"rows": 4, **_TALL}))
    records = JsonText(
        required=False,
        label=_("The system's responses"),
        help_text=_("One per call, such as GET /orders/A-1001. Use null if there is no such record."),
        widget=forms.Textarea(attrs={"rows": 12, **_TALL}),
    )
    at = forms.DateTimeField(
        required=False, label=_("Time"), help_text=_("Leave empty to use the time at which the case is judged.")
    )
    expected = forms.CharField(
        max_length=60, label=_("Expected"), help_text=_("“allowed”, or the code of the guard that fails.")
    )

    def _object(self, name: str) -> dict[str, Any]:
        value = self.cleaned_data[name]
        if value is ABSENT:
            return {}
        if not isinstance(value, dict):
            raise forms.ValidationError(gettext("Enter a JSON object: {...}."))
        return value

    def clean_arguments(self) -> dict[str, Any]:
        return self._object("arguments")

    def clean_records(self) -> dict[str, Any]:
        return self._object("records")


def cases_page(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """List the cases with their results for the newest version."""
    definition, newest = opened(request, definition_id)
    if request.method == "POST":
        return redirect("admin:actiondefinition-cases", definition.pk)
    context = {"newest": newest, "results": results_of(definition, newest), "lacks": missing_in(newest.document)}
    return render(
        request,
        "console/definitions/cases.html",
        frame(request, gettext("Recorded cases"), definition, **context),
    )


def results_of(definition: ActionDefinition, version: ActionDefinitionVersion) -> list[dict[str, Any]]:
    """Return each case and, as `failure`, why the version fails it ("" if it passes).

    If the version is incomplete, `is_known` is false and failures are unknown.
    """
    failures: dict[str, list[str]] | None = None
    if not missing_in(version.document):
        # `is_published` skips the checks that apply only to new versions.
        as_stored = parse_document(version.document, is_published=True)
        failures = failures_of(definition, action_from(as_stored, version.number))
    return [
        {"case": case, "is_known": failures is not None, "failure": " ".join((failures or {}).get(case.name, ()))}
        for case in DefinitionCase.objects.filter(definition=definition)
    ]


def case_page(request: HttpRequest, definition_id: UUID, case_id: UUID | None = None) -> HttpResponse:
    """Add or edit a case. A test call sends its results in `taken`, as JSON."""
    definition, newest = opened(request, definition_id)
    case = case_with_id(definition, case_id) if case_id else None
    if request.method == "POST" and "remove" in request.POST and case is not None:
        remove_case(definition, case.pk, actor=actor_of_request(request))
        messages.success(request, gettext("Removed: {name}.").format(name=case.name))
        return redirect("admin:actiondefinition-cases", definition.pk)
    is_taken = request.method == "POST" and "taken" in request.POST
    is_sent = request.method == "POST" and not is_taken
    form = CaseForm(request.POST if is_sent else None, initial=_taken(request) if is_taken else _initial(case))
    if is_sent and form.is_valid():
        cleaned = form.cleaned_data
        kept = RecordedCase(
            name=cleaned["name"], sub=cleaned["sub"], email=cleaned["email"], arguments=cleaned["arguments"],
            records=cleaned["records"], expected=cleaned["expected"], at=cleaned["at"],
        )  # fmt: skip
        try:
            keep_case(definition, kept, actor=actor_of_request(request), replaced=case.pk if case else None)
        except InvalidInput as refusal:
            for name, texts in refusal.fields.items():
                form.add_error(name if name in form.fields else None, list(texts))
        else:
            messages.success(request, gettext("Recorded: {name}.").format(name=cleaned["name"]))
            return redirect("admin:actiondefinition-cases", definition.pk)
    title = case.name if case else gettext("New case")
    context = {"form": form, "case": case, "newest": newest}
    status = 400 if is_sent else 200
    return render(request, "console/definitions/case.html", frame(request, title, definition, **context), status=status)


def _initial(case: DefinitionCase | None) -> dict[str, Any]:
    if case is None:
        return {"expected": "allowed", "arguments": "{}", "records": "{}"}
    texts = {name: pretty(getattr(case, name)) for name in ("arguments", "records")}
    return {name: getattr(case, name) for name in ("name", "sub", "email", "at", "expected")} | texts


def _taken(request: HttpRequest) -> dict[str, Any]:
    """Return a test call's results as the values of a new case, which is named after the verdict."""
    try:
        found = json.loads(request.POST["taken"])
        texts: dict[str, Any] = {name: pretty(found[name]) for name in ("arguments", "records")}
        texts["at"] = parse_datetime(str(found.get("at", "")))
        return {"sub": str(found["sub"]), "expected": str(found["expected"]), "name": str(found["expected"]), **texts}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Http404 from error
