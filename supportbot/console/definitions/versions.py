"""The versions of a definition: who made them and why, and how they differ."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from actions.definitions.errors import InvalidDefinition, Outdated
from actions.definitions.key_order import written
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.definitions.selectors import reasons_for_saving, version_of, versions_of
from actions.definitions.services import restore_version
from supportbot.console.definitions.page_frame import actor_of_request, frame, opened
from supportbot.console.text_diff import Row, compare
from supportbot.handoff.desk.actor_names import actor_names

MAX_COMPARED = 120_000  # characters; longer documents are not compared here


def version_rows(definition: ActionDefinition) -> list[dict[str, Any]]:
    """Return the versions, newest first, each with its author and reason."""
    rows, reasons = list(versions_of(definition)), reasons_for_saving(definition)
    names = actor_names(row.created_by for row in rows)
    return [
        {
            "row": row,
            "who": names[row.created_by],
            "reason": reasons.get(row.number, ""),
            "is_current": row.pk == definition.current_id,
        }
        for row in rows
    ]


def versions_page(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Show the versions, and how one of them differs from the version before it."""
    definition, newest = opened(request, definition_id)
    chosen = version_of(definition, _number(request.GET.get("v", "")) or newest.number)
    before = definition.versions.filter(number__lt=chosen.number).order_by("-number").first()
    context = {
        "versions": version_rows(definition),
        "chosen": chosen,
        "newest": newest,
        "before": before,
        "rows": difference(before, chosen),
    }
    return render(
        request,
        "console/definitions/versions.html",
        frame(request, gettext("Versions"), definition, **context),
    )


@require_POST
def restore(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Save an earlier version as the newest draft."""
    definition, _ = opened(request, definition_id)
    number, based_on = (_number(request.POST.get(name, "")) for name in ("v", "based_on"))
    try:
        version = restore_version(definition, number, actor=actor_of_request(request), based_on=based_on)
    except Outdated as error:
        words = gettext("Version {number} has been saved in the meantime. Review it, then restore again.")
        messages.error(request, words.format(number=error.number))
    except InvalidDefinition as error:
        problems = [f"{path}: {text}" for path, texts in error.fields.items() for text in texts]
        messages.error(request, " ".join(problems) or error.message)
    else:
        if version.number == based_on:
            messages.info(request, gettext("Nothing was changed."))
        else:
            messages.success(request, gettext("Saved as version {number}.").format(number=version.number))
        return redirect("admin:actions_actiondefinition_change", definition.pk)
    return redirect(f"{reverse('admin:actiondefinition-versions', args=[definition.pk])}?v={number}")


def _number(text: str) -> int:
    """Return the text as a version number. If it is not a number, return 0, which no version has."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


def difference(before: ActionDefinitionVersion | None, after: ActionDefinitionVersion) -> list[Row] | None:
    """Return the rows that compare two versions in their original form, or None if the versions are too long."""
    old, new = written(before.in_entered_order()) if before else "", written(after.in_entered_order())
    return None if max(len(old), len(new)) > MAX_COMPARED else compare(old, new)
