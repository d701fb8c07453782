"""Reading definitions, their versions, and whatever else the console shows about them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext

from actions.deferred_text import from_json, translated
from actions.definitions.errors import NoSuchDefinition
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.parsing.document import DEFINITION_NAME
from actions.models import AuditEntry
from supportbot.errors import NotFound

_NAME: Final = re.compile(DEFINITION_NAME, re.ASCII)


def definition_with_id(definition_id: UUID) -> ActionDefinition:
    """Return a definition of the workspace; raises NotFound."""
    found = ActionDefinition.objects.select_related("current").filter(pk=definition_id).first()
    if found is None:
        raise NotFound()
    return found


def case_with_id(definition: ActionDefinition, case_id: UUID) -> DefinitionCase:
    """Return a recorded case of a definition; raises NotFound."""
    found = DefinitionCase.objects.filter(definition=definition, pk=case_id).first()
    if found is None:
        raise NotFound()
    return found


def versions_of(definition: ActionDefinition) -> "QuerySet[ActionDefinitionVersion]":
    """Return the versions, newest first, without their documents."""
    return ActionDefinitionVersion.objects.filter(definition=definition).defer("document").order_by("-number")


def reasons_for_saving(definition: ActionDefinition) -> dict[int, str]:
    """Return why each version was saved, by its number, from the audit trail."""
    entries = AuditEntry.objects.filter(event="definition.saved", payload__action=definition.name)
    return {payload["version"]: _why_saved(payload) for payload in entries.values_list("payload", flat=True)}


def _why_saved(payload: Mapping[str, Any]) -> str:
    if restored := payload.get("restored"):
        return gettext("Restored from version {number}").format(number=restored)
    reason: str = payload.get("reason", "")
    return reason


def found_by_import(definition: ActionDefinition) -> Mapping[str, object]:
    """Return the source, suggestions, notes and checks of a definition's newest import; empty for one created by hand.
    Notes and checks are in the active language.
    """
    imported = ActionDefinitionVersion.objects.filter(definition=definition).exclude(imported={}).order_by("-number")
    found: Mapping[str, Any] = imported.values_list("imported", flat=True).first() or {}
    texts = {name: [translated(from_json(one)) for one in found.get(name, ())] for name in ("notes", "checks")}
    return {**found, **texts} if found else {}


def open_hints(definition: ActionDefinition, document: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the hints of the newest import as (path, text) in the active language, except those whose part has changed
    since.
    """
    rows = ActionDefinitionVersion.objects.filter(definition=definition).exclude(imported={}).order_by("-number")
    read = rows.first()
    hints = read.imported.get("hints", []) if read else []
    open_ones = [(path, text) for path, text in hints if read and _at(document, path) == _at(read.document, path)]
    return [(path, translated(from_json(text))) for path, text in open_ones]


def _at(value: Any, path: str) -> Any:
    """Return the value at a path of names, such as outcome.kind; None if there is none."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def imported_tools(connection: str) -> dict[str, str]:
    """Return the last known fingerprint of each tool that was imported from an MCP server."""
    read = ActionDefinitionVersion.objects.filter(document__connection=connection).exclude(imported={})
    calls = read.filter(document__call__has_key="tool").order_by("created_at").values_list("document__call", flat=True)
    return {call["tool"]: call["schema_hash"] for call in calls}


def tools_in(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the tools that a document calls, each with its fingerprint at the time of review."""
    for part in (document, *document.get("lookups", ()), document.get("outcome")):
        call = part.get("call") if isinstance(part, Mapping) else None
        if isinstance(call, Mapping) and "tool" in call:
            yield call["tool"], call.get("schema_hash", "")


def tool_read_since(document: Mapping[str, Any]) -> str:
    """Return the first tool of a document whose fingerprint a later import found changed; "" if there is none. Reads
    only stored versions, and does not ask the server.
    """
    called = list(tools_in(document))
    if not called:
        return ""
    read = ActionDefinitionVersion.objects.filter(document__connection=document.get("connection"))
    newest: dict[str, str] = {}
    for one in read.exclude(imported={}).order_by("created_at").values_list("document", flat=True):
        newest |= dict(tools_in(one))
    return next((tool for tool, reviewed in called if newest.get(tool, reviewed) != reviewed), "")


def published_versions() -> dict[str, int]:
    """Return the numbers of the published versions, by action."""
    published = ActionDefinition.objects.filter(state=ActionDefinition.State.PUBLISHED)
    return dict(published.order_by("name").values_list("name", "current__number"))


def picture_hosts() -> list[str]:
    """Return the hosts that published look-ups may show pictures from, in alphabetical order."""
    published = ActionDefinition.objects.filter(state=ActionDefinition.State.PUBLISHED)
    cards = published.values_list("current__document__result__card", flat=True)
    return sorted({host for card in cards if card and card.get("picture") for host in card["hosts"]})


def definition_named(name: str) -> ActionDefinition:
    """Return the workspace's definition; raises NoSuchDefinition."""
    found: ActionDefinition | None = ActionDefinition.objects.filter(name=name).first() if is_name(name) else None
    if found is None:
        raise NoSuchDefinition(gettext("There is no definition named {name}.").format(name=f"“{name[:60]}”"))
    return found


def newest_version(definition: ActionDefinition) -> ActionDefinitionVersion:
    """Return the latest version, published or not, with its arguments in the order they were entered."""
    found: ActionDefinitionVersion = definition.versions.order_by("-number")[0]
    found.document = found.in_entered_order()
    return found


def version_of(definition: ActionDefinition, number: int) -> ActionDefinitionVersion:
    """Return one version; raises NoSuchDefinition."""
    found: ActionDefinitionVersion | None = definition.versions.filter(number=number).first()
    if found is None:
        raise NoSuchDefinition(gettext("{name} has no version {number}.").format(name=definition.name, number=number))
    return found


def is_name(name: str) -> bool:
    """Return whether a definition can have this name at all; PostgreSQL rejects queries for some names that none can
    have.
    """
    return _NAME.fullmatch(name) is not None
