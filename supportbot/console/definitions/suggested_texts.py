"""The texts that an imported file suggests for empty fields.

They are reviewed and accepted together on a draft's overview.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from actions.definitions import suggested_texts
from actions.definitions.models import ActionDefinition
from actions.definitions.selectors import found_by_import
from actions.definitions.services import save_draft
from supportbot.console.definitions.checklist import checklist
from supportbot.console.definitions.page_frame import actor_of_request, opened
from supportbot.console.display import error_text
from supportbot.errors import SupportBotError


@dataclass(frozen=True, slots=True)
class FileText:
    path: str
    label: str
    text: str

    @property
    def key(self) -> str:
        """What the page submits. It identifies the text that the person read, not only its field."""
        return f"{self.path}:{hashlib.sha256(self.text.encode()).hexdigest()[:32]}"


def open_texts(definition: ActionDefinition, document: Mapping[str, Any]) -> list[FileText]:
    """Return the file's texts for fields that are still empty, each with the name of its field."""
    empty = suggested_texts.open_texts(document, found_by_import(definition).get("suggestions"))
    return [FileText(gap.path, gap.label, empty[gap.path]) for gap in checklist(document, empty).gaps]


def take_texts(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Save the selected texts as a new version, unless the file has been imported again since the person read them."""
    definition, newest = opened(request, definition_id)
    selected = set(request.POST.getlist("take"))
    texts = {one.path: one.text for one in open_texts(definition, newest.document) if one.key in selected}
    back = redirect("admin:actions_actiondefinition_change", definition.pk)
    if len(texts) < len(selected):
        messages.error(request, gettext("The texts have changed since you opened the page. Read them again."))
        return back
    if not texts:
        messages.info(request, gettext("Nothing was changed."))
        return back
    document = suggested_texts.with_texts(newest.document, texts)
    try:
        version = save_draft(document, actor=actor_of_request(request), based_on=newest.number)
    except SupportBotError as refusal:
        messages.error(request, error_text(refusal))
    else:
        messages.success(request, gettext("Saved as version {number}.").format(number=version.number))
    return back
