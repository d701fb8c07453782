"""The pages of a case: for editing it, and for creating one from a conversation, an answer or a finding in
*Improve*.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import capfirst
from django.utils.translation import gettext

from supportbot.accounts.principals import Staff
from supportbot.chat.models import Conversation
from supportbot.console.display import error_text
from supportbot.console.evals.case_form import FORM, CaseForm, articles_offered, document_in, entered, kept_of
from supportbot.console.evals.page_frame import WRITE, render_page, uuid_of
from supportbot.console.permissions import may
from supportbot.console.request_context import needs
from supportbot.errors import NotFound, SupportBotError
from supportbot.evals import services
from supportbot.evals.case_from_conversation import case_of_chat
from supportbot.evals.models import Suite
from supportbot.evals.selectors import document_of, suite_with_id
from supportbot.evals.suite_formats.files import as_yaml, case_as_yaml, case_from_yaml
from supportbot.insights.improve.cases import case_of_answer, case_of_finding
from supportbot.insights.improve.findings import Kind
from supportbot.team_formats import listed
from supportbot.values_saved_meanwhile import SEALED, ChangedMeanwhile, as_texts, check_current, seal

_EMPTY_CASE: Final = "id: new\n"


def edit_case(request: HttpRequest, suite_id: UUID, key: str = "") -> HttpResponse:
    """Show a case of a suite, or an empty one. A POST stores it."""
    needs(request, WRITE)
    suite = suite_with_id(suite_id)
    known = next((case for case in document_of(suite).cases if key and case.key == key), None)
    if key and known is None and request.method != "POST":  # a POST of a deleted case may add it again
        raise NotFound()
    text = case_as_yaml(known) if known else "" if key else _EMPTY_CASE
    return _case_form(request, text, suites=[suite], own=suite, replacing=key)


def case_from_chat(request: HttpRequest, conversation_id: UUID) -> HttpResponse:
    """Suggest a case based on a conversation, and store it in the chosen suite."""
    _check_may_make_cases(request)

    def proposed() -> dict[str, Any]:
        conversation = Conversation.objects.filter(pk=conversation_id).first()
        if conversation is None:
            raise NotFound()
        return case_of_chat(conversation)

    return _proposed_case(request, proposed)


def case_from_answer(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Suggest a case based on one of the assistant's answers, and store it in the chosen suite."""
    _check_may_make_cases(request)
    return _proposed_case(request, lambda: case_of_answer(message_id))


def case_from_finding(request: HttpRequest, kind: str, subject: UUID) -> HttpResponse:
    """Suggest a case based on a finding in *Improve*, and store it in the chosen suite."""
    _check_may_make_cases(request)
    if kind not in list(Kind):
        raise NotFound()
    return _proposed_case(request, lambda: case_of_finding(Kind(kind), subject))


def may_make_cases(person: Staff) -> bool:
    """Return whether a person may create cases from customers' messages."""
    return may(person, WRITE) and may(person, "conversations:read")


def _check_may_make_cases(request: HttpRequest) -> None:
    needs(request, WRITE)
    needs(request, "conversations:read")


def _proposed_case(request: HttpRequest, case: Callable[[], dict[str, Any]]) -> HttpResponse:
    # A POST contains the whole text, so it can be stored even if its source has since been erased or dealt with.
    text = "" if request.method == "POST" else as_yaml(case())
    return _case_form(request, text, suites=list(Suite.objects.all()))


def _case_form(
    request: HttpRequest, text: str, *, suites: list[Suite], own: Suite | None = None, replacing: str = ""
) -> HttpResponse:
    """Show a case as a form or, on the other tab, as YAML. A POST stores it in the chosen suite.

    `own` is the suite that the case was opened from.
    """
    shown = {"text": as_texts(text)} if own else {}
    sealed = request.POST.get(SEALED) or seal(shown)
    show = partial(_case_page, request, suites=suites, own=own, sealed=sealed)
    if request.method != "POST":
        return show(text, CaseForm(document_in(text)))
    text, form, problem = entered(request)
    if problem or (form and form.errors):
        return show(text, form, problem)
    try:
        if tab := request.POST.get("show", ""):
            return show(text, CaseForm(document_in(text)) if tab == FORM else None)
        check_current(sealed, shown)
        return _saved(request, text, replacing)
    except ChangedMeanwhile as refusal:
        return show(text, form, refusal.message, sealed=seal(shown))
    except SupportBotError as refusal:
        return show(text, form, error_text(refusal))


def _case_page(
    request: HttpRequest,
    text: str,
    form: CaseForm | None,
    problem: str = "",
    *,
    suites: list[Suite],
    own: Suite | None,
    sealed: str,
) -> HttpResponse:
    """Return a case's page. Without a `form`, it shows the YAML."""
    context = {
        "text": text,
        "form": form,
        "kept": listed(kept_of(form.document)) if form else "",
        "articles": articles_offered() if form else [],
        "problem": capfirst(problem),
        "suites": suites,
        "suite": own,
        "sealed": sealed,
        "chosen": request.POST.get("suite", ""),
    }
    is_wrong = bool(problem or (form and form.errors))
    return render_page(request, "case", gettext("Case"), context, status=400 if is_wrong else 200)


def _saved(request: HttpRequest, text: str, replacing: str) -> HttpResponse:
    suite = suite_with_id(uuid_of(request.POST.get("suite", "")))
    services.save_case(suite.pk, case_from_yaml(text), replacing=replacing)
    messages.success(request, gettext("Saved: {name_of}.").format(name_of=suite.title))
    return redirect("admin:evals_suite_change", suite.pk)
