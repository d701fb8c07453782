"""One definition: an overview with what is missing, a form for each part, the whole document as JSON, and a reference
of expressions and templates.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

import actions.definitions
from actions.definitions.errors import InvalidDefinition, Outdated
from actions.definitions.key_order import written
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.publishing import obstacles
from actions.definitions.selectors import found_by_import, open_hints
from actions.definitions.services import missing_in, save_renamed
from actions.models import ActionPolicy
from kb.rendering import RenderedArticle, render_article
from supportbot.console.definitions.checklist import Checklist, checklist, missing_parts, warnings_about
from supportbot.console.definitions.form_elements import Part
from supportbot.console.definitions.form_layout import part_named, parts_of
from supportbot.console.definitions.forms import PartForm, field_name, kind_of
from supportbot.console.definitions.page_frame import (
    READ_RIGHT,
    actor_of_request,
    frame,
    kind_words,
    opened,
    state_tag,
    title_in,
)
from supportbot.console.definitions.suggested_texts import open_texts
from supportbot.console.definitions.versions import version_rows
from supportbot.console.display import error_text
from supportbot.console.request_context import needs
from supportbot.errors import InvalidInput
from supportbot.team_formats import labelled, listed

MAX_SHOWN = 6
# The page shows these sections of docs/definitions.md, because the file is not part of an installation.
_CHAPTERS: Final = Path(actions.definitions.__file__).with_name("expressions.md")


class SavingForm(forms.Form):
    """The fields submitted with every change: the reason, and which version was edited."""

    reason = forms.CharField(
        required=False, max_length=300, label=_("Reason"), help_text=_("Optional. Shown with the version.")
    )
    based_on = forms.IntegerField(required=False, widget=forms.HiddenInput)


class DocumentForm(forms.Form):
    text = forms.CharField(
        label=_("Document"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 30, "class": "mono", "spellcheck": "false", "dir": "ltr"}),
    )

    def clean_text(self) -> Any:
        try:
            value = json.loads(self.cleaned_data["text"])
        except (ValueError, RecursionError) as error:
            line = getattr(error, "lineno", 1)
            raise forms.ValidationError(
                gettext("This is not valid JSON. Check line {line}.").format(line=line)
            ) from error
        if not isinstance(value, dict):
            raise forms.ValidationError(gettext("A definition must be one JSON object."))
        return value


def overview_page(request: HttpRequest, definition_id: str) -> HttpResponse:
    try:
        key = UUID(definition_id)
    except ValueError as error:
        raise Http404 from error
    definition, newest = opened(request, key)
    document = newest.document
    gaps = missing_parts(document)
    problems = obstacles(newest)
    wrong, doubtful = checklist(document, problems), warnings_about(document, open_hints(definition, document))
    imported = found_by_import(definition)
    rules = ActionPolicy.objects.filter(action=definition.name).first()
    context = {
        "newest": newest,
        "heading": title_in(document, definition.name),
        "state": state_tag(definition),
        "kind": kind_words(document),
        "gaps": gaps.gaps,
        "wrong": [{"gap": gap, "texts": problems[gap.path]} for gap in wrong.gaps],
        "parts": [
            {
                "part": part,
                "lacks": len(gaps.of_part(part.slug)) + len(wrong.of_part(part.slug)),
                "doubts": len(doubtful.of_part(part.slug)),
            }
            for part in parts_of(kind_of(document))
        ],
        "cases": DefinitionCase.objects.filter(definition=definition).count(),
        "versions": version_rows(definition)[:MAX_SHOWN],
        "imported": imported,
        "texts": open_texts(definition, document),
        "rules": rules,
        "is_live": definition.state == ActionDefinition.State.PUBLISHED,
        "has_draft": definition.current_id != newest.pk,
    }
    return render(request, "console/definitions/overview.html", frame(request, definition.name, definition, **context))


def part_page(request: HttpRequest, definition_id: UUID, slug: str) -> HttpResponse:
    """Show one part as a form. A POST saves it in a new version of the whole document."""
    definition, newest = opened(request, definition_id)
    part = part_named(slug, kind_of(newest.document))
    if part is None:
        raise Http404
    suggestions = suggestions_of(definition, newest.document)
    is_sent = request.method == "POST"
    form = PartForm(part, newest.document, suggestions, request.POST if is_sent else None)
    saving = SavingForm(request.POST if is_sent else None, initial={"based_on": newest.number})
    if is_sent and form.is_valid() and saving.is_valid():
        document, places = form.written()
        if not form.errors:
            problems = _saved(request, definition, newest, document, saving, renamed=form.renamed)
            if problems is None:
                return _after_saving(request, definition, part, parts_of(kind_of(document)))
            form.show_problems(problems, places)
    gaps = missing_parts(newest.document)
    form.show_gaps([gap.field for gap in gaps.of_part(part.slug)])
    context = {
        "part": part,
        "form": form,
        "saving": saving,
        "newest": newest,
        "gaps": gaps.of_part(part.slug),
        "warnings": warnings_about(newest.document, open_hints(definition, newest.document)).of_part(part.slug),
        "parts": _tabs(newest.document, gaps),
        "uses": checklist(newest.document, form.uses).gaps,
    }
    status = 400 if is_sent else 200
    return render(
        request,
        "console/definitions/part.html",
        frame(request, str(part.title), definition, **context),
        status=status,
    )


def _after_saving(
    request: HttpRequest, definition: ActionDefinition, part: Part, parts: Sequence[Part]
) -> HttpResponse:
    """Return to the part, or go on to the next one. After the last part, the overview shows what is missing."""
    if "next" not in request.POST:
        return redirect("admin:actiondefinition-part", definition.pk, part.slug)
    following = parts[parts.index(part) + 1 :]
    if following:
        return redirect("admin:actiondefinition-part", definition.pk, following[0].slug)
    return redirect("admin:actions_actiondefinition_change", definition.pk)


def _tabs(document: Mapping[str, Any], gaps: Checklist) -> list[dict[str, Any]]:
    return [{"part": one, "lacks": len(gaps.of_part(one.slug))} for one in parts_of(kind_of(document))]


def document_page(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Show the document as JSON. A POST saves it as a new version."""
    definition, newest = opened(request, definition_id)
    is_sent = request.method == "POST"
    form = DocumentForm(request.POST if is_sent else None, initial={"text": written(newest.document)})
    saving = SavingForm(request.POST if is_sent else None, initial={"based_on": newest.number})
    if is_sent and form.is_valid() and saving.is_valid():
        document = form.cleaned_data["text"]
        if document.get("name") != definition.name:
            form.add_error(
                "text",
                gettext("The name {name} cannot be changed. Copy the action to use another name.").format(
                    name=definition
                ),
            )
        else:
            problems = _saved(request, definition, newest, document, saving)
            if problems is None:
                return redirect("admin:actiondefinition-document", definition.pk)
            for path, texts in problems.items():
                form.add_error("text" if path else None, [labelled(path, text) if path else text for text in texts])
    context = {"form": form, "saving": saving, "newest": newest, "gaps": missing_in(newest.document)}
    context["warnings"] = warnings_about(newest.document).gaps
    title = gettext("Document")
    return render(
        request,
        "console/definitions/document.html",
        frame(request, title, definition, **context),
        status=400 if is_sent else 200,
    )


def _saved(
    request: HttpRequest,
    definition: ActionDefinition,
    newest: ActionDefinitionVersion,
    document: Mapping[str, Any],
    saving: SavingForm,
    *,
    renamed: Mapping[str, str] | None = None,
) -> Mapping[str, Any] | None:
    """Save a version and show a message. If it is refused, return the errors by path."""
    cleaned = saving.cleaned_data
    try:
        version, followed = save_renamed(
            document,
            renamed or {},
            actor=actor_of_request(request),
            reason=cleaned["reason"],
            based_on=cleaned["based_on"] or newest.number,
        )
    except InvalidDefinition as refusal:
        return refusal.fields
    except Outdated as refusal:
        sent: Any = saving.data  # a QueryDict; with the new number, the next attempt saves
        saving.data = sent = sent.copy()
        sent["based_on"] = str(refusal.number)
        words = gettext("Version {number} has been saved in the meantime. Review it, then save again.")
        return {"": [words.format(number=refusal.number)]}
    except InvalidInput as refusal:
        return {"": [error_text(refusal)]}
    if version.number == newest.number:
        messages.info(request, gettext("Nothing was changed."))
    else:
        messages.success(request, gettext("Saved as version {number}.").format(number=version.number))
    if followed:
        words = gettext(
            "The undo calls of {names} use the renamed arguments, so drafts of these actions that use the new argument "
            "names have been saved."
        )
        messages.warning(request, words.format(names=listed(followed)))
    return None


def suggestions_of(definition: ActionDefinition, document: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts from the imported file, by the name of the form field that each one is for."""
    imported = found_by_import(definition).get("suggestions")
    if not isinstance(imported, Mapping):
        return {}
    # An operation's name in the file also serves as a title for its card.
    if "title.en" in imported and "card" in document:
        imported = {**imported, "card.title.en": imported["title.en"]}
    gaps = checklist(document, [str(path) for path in imported])
    found = {gap.field: str(imported[gap.path]) for gap in gaps.gaps if gap.field}
    return {**found, **{field_name(str(path)): str(text) for path, text in imported.items()}}


def expressions_page(request: HttpRequest) -> HttpResponse:
    """Show all names, functions and operators, the grammar, and what templates may contain."""
    needs(request, READ_RIGHT)
    context = frame(request, gettext("Expressions and templates"), reference=_reference())
    return render(request, "console/definitions/expression_reference.html", context)


@cache
def _reference() -> RenderedArticle:
    return render_article("", _CHAPTERS.read_text(encoding="utf-8"))
