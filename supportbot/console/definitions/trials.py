"""Test calls in the console: what a version would do for a customer, step by step. Nothing is stored."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.timezone import now
from django.utils.translation import get_language, gettext, gettext_noop
from django.utils.translation import gettext_lazy as _

from actions.connections.models import Environment
from actions.connections.selectors import listed_connections
from actions.definitions.cases import ALLOWED
from actions.definitions.errors import InvalidDefinition
from actions.definitions.expressions.values import as_json, json_text
from actions.definitions.models import ActionDefinitionVersion
from actions.definitions.services import missing_in
from actions.definitions.trial import SAMPLE, TrialCall, trial_call
from actions.definitions.trial_explanations import Approval, ApprovalReason
from actions.errors import InvalidArguments, MerchantUnavailable, NotConnected
from actions.money import format_money
from supportbot.connection_test_limit import TooManyTests
from supportbot.console.definitions.argument_fields import entered, field_of, leaves
from supportbot.console.definitions.box_values import ABSENT, JsonText
from supportbot.console.definitions.checklist import missing_parts
from supportbot.console.definitions.forms import locales_of
from supportbot.console.definitions.page_frame import WRITE_RIGHT, actor_of_request, frame, opened
from supportbot.console.display import error_text
from supportbot.console.request_context import needs
from supportbot.errors import InvalidInput
from supportbot.team_formats import labelled, language_name

ARGUMENT: Final = "argument-"


class TrialForm(forms.Form):
    """The customer, the environment and the arguments of a test call, with a field for each argument that can be
    passed.
    """

    environment = forms.ChoiceField(
        label=_("Where"),
        choices=(
            (Environment.SANDBOX.value, _("On the sandbox: everything is sent")),
            (Environment.LIVE.value, _("On the live connection: only look-ups are sent")),
            (SAMPLE, _("With the sample responses below: nothing is sent")),
        ),
        widget=forms.RadioSelect,
    )
    customer = forms.CharField(
        max_length=200,
        label=_("Customer"),
        help_text=_("The customer's id in your system, as in the signed identity."),
    )
    locale = forms.ChoiceField(label=_("Language"))
    records = JsonText(
        required=False,
        label=_("Sample responses"),
        help_text=_(
            'JSON by call, such as {"GET /orders/A-1001": {"id": "A-1001"}}. Use null if there is no such record.'
        ),
        widget=forms.Textarea(attrs={"rows": 6, "class": "mono", "spellcheck": "false", "dir": "ltr"}),
    )

    def __init__(self, document: Mapping[str, Any], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._specs = _open_arguments(document)
        self.fields["environment"].initial = _first_environment(document)
        locale: Any = self.fields["locale"]
        locale.choices = [(one, language_name(one)) for one in locales_of(document)]
        locale.initial = get_language()  # falls back to the first language if the action lacks this one
        sent = {name.removeprefix(ARGUMENT): self.data[name] for name in self.data if name.startswith(ARGUMENT)}
        self._leaves = [leaf for name, spec in self._specs.items() for leaf in leaves(name, spec, sent)]
        for leaf in self._leaves:
            self.fields[ARGUMENT + leaf.path] = field_of(leaf)

    def argument_fields(self) -> list[Any]:
        return [self[ARGUMENT + leaf.path] for leaf in self._leaves]

    def clean_records(self) -> dict[str, Any]:
        records = self.cleaned_data["records"]
        if records is ABSENT:
            return {}
        if not isinstance(records, dict):
            raise forms.ValidationError(gettext("Enter a JSON object with calls and their responses."))
        return records

    def arguments(self) -> dict[str, Any]:
        """Return the entered arguments, each in the format that it requires."""
        cleaned = {leaf.path: self.cleaned_data.get(ARGUMENT + leaf.path) for leaf in self._leaves}
        found = {name: entered(name, spec, cleaned) for name, spec in self._specs.items()}
        return {name: value for name, value in found.items() if value is not ABSENT}

    def field_for(self, path: str) -> str | None:
        """Return the field of an invalid argument, or of the argument that contains it; None if the form has
        neither.
        """
        while path and ARGUMENT + path not in self.fields:
            path = path.rpartition(".")[0]
        return ARGUMENT + path if path else None


def _first_environment(document: Mapping[str, Any]) -> str:
    """Return the environment that is selected at first: live if the document's connection exists only there,
    otherwise the sandbox.
    """
    name = str(document.get("connection", ""))
    there = {one.environment for one in listed_connections() if one.name == name}
    return Environment.LIVE.value if there == {Environment.LIVE.value} else Environment.SANDBOX.value


def _open_arguments(document: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    given = document.get("arguments")
    specs = given.items() if isinstance(given, Mapping) else ()
    return {
        str(name): spec
        for name, spec in specs
        if isinstance(spec, Mapping) and spec.get("from", "customer") in ("customer", "model")
    }


def test_page(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    needs(request, WRITE_RIGHT)  # required even to view the form, since nobody else can submit it
    definition, version = opened(request, definition_id)
    lacks = missing_in(version.document)
    is_sent = request.method == "POST" and not lacks
    form = TrialForm(version.document, request.POST if is_sent else None)
    result = _run(request, version, form) if is_sent and form.is_valid() else None
    context = {
        "form": form,
        "newest": version,
        "gaps": missing_parts(version.document).gaps,
        "result": result and _shown(result, form),
    }
    status = 400 if is_sent and result is None else 200
    title = gettext("Test call")
    return render(request, "console/definitions/test.html", frame(request, title, definition, **context), status=status)


def _run(request: HttpRequest, version: ActionDefinitionVersion, form: TrialForm) -> TrialCall | None:
    cleaned = form.cleaned_data
    try:
        return trial_call(
            version,
            customer=cleaned["customer"],
            arguments=form.arguments(),
            environment=cleaned["environment"],
            records=cleaned["records"],
            locale=cleaned["locale"],
            actor=actor_of_request(request),
        )
    except InvalidArguments as refusal:
        for path, texts in refusal.fields.items():
            form.add_error(form.field_for(str(path)), [labelled(str(path), one) for one in texts])
        if not refusal.fields:
            form.add_error(None, refusal.message)
    except InvalidDefinition as refusal:
        form.add_error(None, [labelled(path, text) for path, texts in refusal.fields.items() for text in texts])
    except (NotConnected, MerchantUnavailable, InvalidInput, TooManyTests) as refusal:
        form.add_error(None, error_text(refusal))
    return None


def _shown(result: TrialCall, form: TrialForm) -> dict[str, Any]:
    """Return the steps as the page shows them; bodies are JSON text."""
    cleaned = form.cleaned_data
    return {
        "call": result,
        "customer": cleaned["customer"],
        "is_allowed": result.verdict == ALLOWED,
        "exchanges": [
            {
                "line": f"{one.method} {one.path}",
                "query": [(name, value) for name, given in one.query.items() for value in _each(given)],
                "headers": one.headers,
                "body": pretty(one.body),
                "status": one.status,
                "answer": pretty(one.answer),
                "problem": one.problem,
            }
            for one in result.exchanges
        ],
        # On the sandbox, the request is already listed with the calls.
        "request": asdict(result.request) if result.request and cleaned["environment"] != Environment.SANDBOX else None,
        "approval": _approval(result.approval) if result.approval else "",
        "request_body": pretty(json.loads(result.request.body)) if result.request and result.request.body else "",
        "arguments": pretty(result.arguments) if result.arguments else "",
        "outcome": OUTCOMES.get(result.outcome, ""),
        "case": json.dumps(
            {
                "sub": cleaned["customer"],
                "arguments": form.arguments(),
                "records": {**cleaned["records"], **result.records}
                if cleaned["environment"] == SAMPLE
                else result.records,
                "expected": result.verdict,
                # Rules about days could decide differently on a different day.
                "at": now().isoformat(timespec="seconds"),
            }
        ),
        "can_be_case": result.verdict != MerchantUnavailable.code,
    }


def _each(given: str | Sequence[str]) -> Sequence[str]:
    return [given] if isinstance(given, str) else given


def _approval(approval: Approval) -> str:
    """Return why a person has to approve a request, in the language of the page."""
    locale = get_language() or "en"
    amounts = {
        name: format_money(money, locale)
        for name, money in (("total", approval.total), ("above", approval.above))
        if money is not None
    }
    return gettext(APPROVALS[approval.why]).format(**amounts)


APPROVALS: Final = {
    ApprovalReason.CONDITION: gettext_noop(
        "A person must approve it because of the action's own condition (Limits and approval)."
    ),
    ApprovalReason.CURRENCY: gettext_noop(
        "Its currency differs from that of the rules, so the amounts cannot be compared."
    ),
    ApprovalReason.AMOUNT: gettext_noop("{total} is above {above}, the amount above which the rules require approval."),
    ApprovalReason.SUM: gettext_noop(
        "Together with what this customer or record has already used, the total of {total} is above {above}, the "
        "amount above which the rules require approval."
    ),
}
OUTCOMES: Final = {
    "happened": _("It happened."),
    "did_not": _("It did not happen."),
    "unclear": _("It is unknown whether it happened."),
    "not_sent": _("It was not sent."),
}


def pretty(value: Any) -> str:
    """Return a value as readable JSON, or "" if there is none."""
    if value is None:
        return ""
    try:
        return json.dumps(json.loads(json_text(as_json(value))), indent=2, ensure_ascii=False)
    except (ValueError, TypeError):
        return str(value)
