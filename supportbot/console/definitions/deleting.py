"""Deleting drafts that were never published: a page that lists what goes, then the deletion."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext, ngettext

from actions.definitions.models import ActionDefinition
from actions.definitions.selectors import definition_with_id
from actions.definitions.services import delete_drafts
from supportbot.console.definitions.page_frame import WRITE_RIGHT, frame
from supportbot.console.request_context import needs, person_of


def delete_page(request: HttpRequest) -> HttpResponse:
    """Delete the drafts that are named when the page is submitted; otherwise, ask about the action `one`."""
    needs(request, WRITE_RIGHT)
    if request.method != "POST":
        return confirmation(request, [definition_with_id(_id(request.GET.get("one", "")))])
    names = delete_drafts(_names(request), person=person_of(request))
    if names:
        told = ngettext("{number} draft deleted.", "{number} drafts deleted.", len(names))
        messages.success(request, told.format(number=len(names)))
    else:
        messages.warning(request, gettext("Nothing was deleted."))
    return redirect("admin:actions_actiondefinition_changelist")


def confirmation(request: HttpRequest, chosen: Iterable[ActionDefinition]) -> HttpResponse:
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
        return UUID(int=0)  # no definition has it: the page is not found
