"""Checking whether the MCP tools that actions call have changed since their review. Every call checks this too
(`connections.mcp_tools`); the hourly check here ensures that nothing is offered that the next call would refuse. If a
server does not answer, nothing changes.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from actions.connections.client import Client, NotSent
from actions.connections.mcp_tools import list_tools
from actions.connections.selectors import connection_named
from actions.definitions.disabling import disable_definition
from actions.definitions.importing.mcp import changed_tools
from actions.definitions.models import ActionDefinition
from actions.definitions.selectors import tools_in
from actions.errors import NotConnected
from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope

CHANGED: Final = "tool_changed"
_PUBLISHED: Final = ActionDefinition.State.PUBLISHED


def check_all() -> None:
    """Switch off every published action, in all workspaces, if one of its tools has changed or is gone."""
    for workspace_id in Workspace.objects.values_list("pk", flat=True):
        with workspace_scope(workspace_id):
            _check_workspace()


def switch_off_changed(name: str, schema_hash: str) -> None:
    """Switch an action off, unless a version with a different fingerprint has been published since."""
    definition = ActionDefinition.objects.select_related("current").filter(name=name, state=_PUBLISHED).first()
    if definition is not None and schema_hash in dict(_tools_of(definition)).values():
        disable_definition(definition, actor="system", why=CHANGED)


def _check_workspace() -> None:
    by_connection: dict[str, list[ActionDefinition]] = {}
    for definition in ActionDefinition.objects.select_related("current").filter(state=_PUBLISHED):
        if dict(_tools_of(definition)):
            by_connection.setdefault(str(_document(definition).get("connection")), []).append(definition)
    for connection, definitions in by_connection.items():
        try:
            now = list_tools(Client(connection_named(connection)))
        except (NotSent, NotConnected):
            continue
        for definition in definitions:
            if changed_tools(dict(_tools_of(definition)), now):
                disable_definition(definition, actor="system", why=CHANGED)


def _tools_of(definition: ActionDefinition) -> Iterator[tuple[str, str]]:
    """Yield the tools that the version in force calls, each with its fingerprint at the time of review."""
    return tools_in(_document(definition))


def _document(definition: ActionDefinition) -> Mapping[str, Any]:
    assert definition.current is not None  # a published action has a version
    document: Mapping[str, Any] = definition.current.document
    return document
