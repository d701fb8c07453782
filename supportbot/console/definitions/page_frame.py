"""Code shared by all pages of a definition: access, the version shown, and the frame."""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from actions.audit import actor_of
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.definitions.selectors import definition_with_id, newest_version
from supportbot.console.display import tag
from supportbot.console.permissions import may
from supportbot.console.request_context import needs, person_of, staff
from supportbot.team_formats import active_language
from supportbot.translation import in_locale

READ_RIGHT: Final = "definitions:read"
WRITE_RIGHT: Final = "definitions:write"
RULES_RIGHT: Final = "rules:write"


def opened(request: HttpRequest, definition_id: UUID) -> tuple[ActionDefinition, ActionDefinitionVersion]:
    """Return a definition that this person may see, and its newest version. Only admins may submit changes."""
    needs(request, WRITE_RIGHT if request.method == "POST" else READ_RIGHT)
    definition = definition_with_id(definition_id)
    return definition, newest_version(definition)


def actor_of_request(request: HttpRequest) -> str:
    return actor_of(person_of(request))


def frame(request: HttpRequest, title: str, definition: ActionDefinition | None = None, **more: Any) -> dict[str, Any]:
    """Return the template context that all of these pages need."""
    return {
        **admin.site.each_context(request),
        "title": definition.name if definition and definition.name != title else gettext("Actions"),
        "subtitle": title,
        "opts": ActionDefinition._meta,
        "definition": definition,
        "may_write": may(staff(request), WRITE_RIGHT),
        **more,
    }


def title_in(document: Any, name: str) -> str:
    """Return the title in the reader's language, or the name if there is none."""
    title = document.get("title") if isinstance(document, dict) else None
    known = {str(one): text for one, text in title.items() if text} if isinstance(title, dict) else {}
    return in_locale(known, active_language()) if known else name


def state_tag(definition: ActionDefinition) -> SafeString:
    match definition.state:
        case ActionDefinition.State.PUBLISHED:
            return tag("ok", gettext("Published"))
        case ActionDefinition.State.DISABLED:
            return tag("", gettext("Off"))
    return tag("info", gettext("Draft"))


def kind_words(document: Mapping[str, Any]) -> str:
    if document.get("kind") == "read":
        is_open = document.get("visitors") is True
        return gettext("Looks something up, also for visitors") if is_open else gettext("Looks something up")
    return gettext("Moves money") if document.get("risk") == "money" else gettext("Changes something")
