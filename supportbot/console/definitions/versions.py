"""The versions of a definition: their authors and reasons, and the differences between two versions."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.definitions.selectors import reasons_for_saving, versions_of
from actions.definitions.services import version_of
from actions.definitions.transfer import written
from supportbot.console.definitions.page_frame import frame, opened
from supportbot.console.text_diff import Row, compare
from supportbot.handoff.desk.assistant_activity import actor_names

MAX_COMPARED = 120_000  # characters; longer documents are not compared here


def told_versions(definition: ActionDefinition) -> list[dict[str, Any]]:
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
    definition, newest = opened(request, definition_id)
    asked = request.GET.get("v", "")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 9 else newest.number
    chosen = version_of(definition, number)
    before = definition.versions.filter(number__lt=chosen.number).order_by("-number").first()
    context = {
        "versions": told_versions(definition),
        "chosen": chosen,
        "before": before,
        "rows": difference(before, chosen),
    }
    return render(
        request,
        "console/definitions/versions.html",
        frame(request, gettext("Versions"), definition, **context),
    )


def difference(before: ActionDefinitionVersion | None, after: ActionDefinitionVersion) -> list[Row] | None:
    """Return the rows of a comparison of two versions in their original form; None if they are too long."""
    old, new = written(before.in_entered_order()) if before else "", written(after.in_entered_order())
    return None if max(len(old), len(new)) > MAX_COMPARED else compare(old, new)
