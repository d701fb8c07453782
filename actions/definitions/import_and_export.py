"""Importing definitions from JSON, OpenAPI or an MCP server as drafts, and exporting definitions as JSON."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext

from actions.connections.client import Client, NotSent
from actions.connections.mcp_tools import list_tools
from actions.connections.models import Environment
from actions.connections.selectors import connection_named
from actions.deferred_text import translated
from actions.definitions.document_warnings import beyond_the_chat
from actions.definitions.errors import ServerUnreadable
from actions.definitions.importing.bounded_parsing import InvalidFile, read_structure
from actions.definitions.importing.drafts import Draft
from actions.definitions.importing.mcp import read_tools
from actions.definitions.importing.openapi import read_openapi
from actions.definitions.key_order import written
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.definitions.parsing.document import missing
from actions.definitions.selectors import definition_named, newest_version, version_of
from actions.definitions.services import save_draft
from actions.registry import code_actions

Origin = ActionDefinition.Origin


@dataclass(frozen=True, slots=True)
class Saved:
    """One draft saved by an import, the parts it still lacks, and what a person must check."""

    name: str
    version: int
    missing: list[str]
    checks: list[str]


@dataclass(frozen=True, slots=True)
class ImportResult:
    drafts: list[Saved]
    notes: list[str]


@transaction.atomic
def import_text(text: str, *, actor: str, connection: str = "") -> ImportResult:
    """Save a definition, a list of them, or each operation of an OpenAPI file as drafts: all of them or none.

    Importing the same file again changes nothing. Raises InvalidFile or InvalidDefinition.
    """
    value = read_structure(text)
    if isinstance(value, Mapping) and ("openapi" in value or "swagger" in value):
        found = read_openapi(text, connection)
        return ImportResult(_save_drafts(found.drafts, actor=actor), [translated(note) for note in found.notes])
    documents = value if isinstance(value, list) else [value]
    if not documents or not all(isinstance(one, Mapping) and "format" in one for one in documents):
        raise InvalidFile(gettext("The file is neither an action definition nor an OpenAPI description."))
    saved = [save_draft(document, actor=actor, origin=Origin.FILE) for document in documents]
    return ImportResult([_saved(version, []) for version in saved], [])


def import_tools(connection: str, *, actor: str, environment: str = Environment.LIVE) -> ImportResult:
    """Save each tool of the MCP server behind a connection as a draft: all of them or none.

    Importing the same tools again changes nothing; a changed tool becomes a newer draft of its action. Raises
    NotConnected, ServerUnreadable if the server returns no list, or InvalidFile if it is not a list.
    """
    found_connection = connection_named(connection, environment)
    try:
        tools = list_tools(Client(found_connection))
    except NotSent as error:
        raise ServerUnreadable(error.why) from error
    found = read_tools(tools, connection)
    with transaction.atomic():
        return ImportResult(
            _save_drafts(found.drafts, actor=actor, origin=Origin.MCP), [translated(note) for note in found.notes]
        )


@transaction.atomic
def import_operations(text: str, names: Collection[str], *, actor: str, connection: str = "") -> ImportResult:
    """Save the operations with these names in an OpenAPI file as drafts. Raises InvalidFile."""
    found = read_openapi(text, connection)
    chosen = [draft for draft in found.drafts if draft.document["name"] in names]
    if not chosen:
        raise InvalidFile(gettext("Choose at least one operation."))
    return ImportResult(_save_drafts(chosen, actor=actor), [translated(note) for note in found.notes])


def _save_drafts(drafts: Iterable[Draft], *, actor: str, origin: str = Origin.OPENAPI) -> list[Saved]:
    taken = {draft.document["name"] for draft in drafts}
    result = []
    for draft in drafts:
        document = {**draft.document, "name": _free_name(draft, origin, taken)}
        besides: dict[str, Any] = {"source": draft.source, "suggestions": draft.suggestions}
        besides |= {
            "notes": [one.as_json() for one in draft.notes],
            "checks": [one.as_json() for one in draft.checks],
            "hints": [(path, one.as_json()) for path, one in draft.hints],
        }
        version = save_draft(document, actor=actor, origin=origin, imported=besides)
        result.append(_saved(version, draft.checks))
    return result


def _free_name(draft: Draft, origin: str, taken: set[str]) -> str:
    """Return the draft's name, with a number added if it is taken by a built-in action or by one that a file must not
    replace.
    """
    own, name = {*code_actions(), *settings.ACTIONS_RESERVED_NAMES}, str(draft.document["name"])
    candidate, number = name, 1
    while (
        candidate in own
        or (candidate != name and candidate in taken)
        or (origin == Origin.OPENAPI and _is_kept(candidate, draft))
    ):
        number += 1
        candidate = f"{name}_{number}"
    taken.add(candidate)
    return candidate


def _is_kept(name: str, draft: Draft) -> bool:
    """Return whether a file's draft must not become the newest version of the action with this name, because that
    action makes a different call or has been edited since its import. Returns False if a version already has the
    draft's document.
    """
    versions = ActionDefinitionVersion.objects.filter(definition__name=name).order_by("-number")
    newest = versions.first()
    if newest is None or versions.filter(document={**draft.document, "name": name}).exists():
        return False
    is_edited_or_other = bool(newest.imported.get("source") != draft.source)
    return is_edited_or_other or bool(newest.document.get("connection") != draft.document.get("connection"))


def _saved(version: ActionDefinitionVersion, checks: Iterable[str]) -> Saved:
    document = version.document
    return Saved(
        version.definition.name,
        version.number,
        missing(document),
        [*map(translated, checks), *beyond_the_chat(document)],
    )


def as_json(result: ImportResult) -> dict[str, Any]:
    """Return the drafts as `action_import --json` prints them."""
    return {
        "definitions": [
            {"name": one.name, "state": "draft", "missing": one.missing} | ({"check": one.checks} if one.checks else {})
            for one in result.drafts
        ]
    }


def export_document(name: str, number: int | None = None) -> dict[str, Any]:
    """Return the document of a version: by default the published one or, if there is none, the newest. Raises
    NoSuchDefinition.
    """
    definition = definition_named(name)
    in_force = definition.current or newest_version(definition)
    version = in_force if number is None else version_of(definition, number)
    return version.in_entered_order()


def export_text(name: str, number: int | None = None) -> str:
    """Return a document as readable text, which `import_text` accepts."""
    return written(export_document(name, number))
