"""The texts that an imported file suggests for empty fields of a draft, on its overview: read and taken over together.

Only titles, descriptions and examples: anything else, such as an owner, decides what is called and who may see it, so
it is accepted at its field.
"""

import copy
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext

from actions.definitions.models import ActionDefinition
from actions.definitions.selectors import found_by_import
from actions.definitions.services import save_draft
from supportbot.console.definitions.checklist import checklist
from supportbot.console.definitions.forms import locales_of
from supportbot.console.definitions.page_frame import actor_of_request, opened
from supportbot.console.display import error_text
from supportbot.errors import SupportBotError

_TEXTS: Final = re.compile(r"(title|description)\.(?P<locale>[\w-]+)|arguments\.\w+\.(description|example)", re.ASCII)


@dataclass(frozen=True, slots=True)
class FileText:
    path: str
    label: str
    text: str


def open_texts(definition: ActionDefinition, document: Mapping[str, Any]) -> list[FileText]:
    """Return the file's texts for fields that are still empty, with the names of their fields."""
    found = found_by_import(definition).get("suggestions")
    suggested = {str(path): str(text) for path, text in found.items()} if isinstance(found, Mapping) else {}
    empty = {path: text for path, text in suggested.items() if _is_open(path, document)}
    gaps = checklist(document, empty).gaps
    return [FileText(gap.path, gap.label, empty[gap.path]) for gap in gaps]


def _is_open(path: str, document: Mapping[str, Any]) -> bool:
    matched = _TEXTS.fullmatch(path)
    if matched is None:
        return False
    *_outer, parent, name = path.split(".")
    if matched["locale"]:
        return name in locales_of(document) and not _object(document, parent).get(name)
    arguments = _object(document, "arguments")
    return parent in arguments and not _object(arguments, parent).get(name)


def _object(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = of.get(name)
    return value if isinstance(value, Mapping) else {}


def with_texts(document: Mapping[str, Any], texts: Collection[FileText]) -> dict[str, Any]:
    """Return the document with these texts."""
    made = copy.deepcopy(dict(document))
    for one in texts:
        *parents, name = one.path.split(".")
        place = made
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = one.text
    return made


def take_texts(request: HttpRequest, definition_id: UUID) -> HttpResponse:
    """Save the selected texts as a new version."""
    definition, newest = opened(request, definition_id)
    selected = set(request.POST.getlist("take"))
    texts = [one for one in open_texts(definition, newest.document) if one.path in selected]
    if not texts:
        messages.info(request, gettext("Nothing was changed."))
        return redirect("admin:actions_actiondefinition_change", definition.pk)
    document = with_texts(newest.document, texts)
    try:
        version = save_draft(document, actor=actor_of_request(request), based_on=newest.number)
    except SupportBotError as refusal:
        messages.error(request, error_text(refusal))
    else:
        messages.success(request, gettext("Saved as version {number}.").format(number=version.number))
    return redirect("admin:actions_actiondefinition_change", definition.pk)
