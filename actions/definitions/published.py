"""The workspace's own actions: its published definitions, and the versions that earlier requests were made with.

Each call queries which versions are published. Versions never change, so each process reads and compiles them once.
"""

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Final
from uuid import UUID

from actions.definitions.defined_action import DefinedRead, DefinedWrite
from actions.definitions.errors import InvalidDefinition
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion
from actions.definitions.parsed_parts import Definition, Kind
from actions.definitions.parsing.document import FORMAT, parse_document
from actions.definitions.selectors import is_name
from actions.spec import Action
from supportbot import sql
from supportbot.accounts.models import Membership
from supportbot.accounts.scope import current_workspace_id

logger = logging.getLogger(__name__)
_KEPT: Final = 1_000  # versions cached by a process
# Runs in each turn, so the statement is built only once; the rows are unordered.
_PUBLISHED: Final = """
SELECT name, current_id FROM actions_actiondefinition
WHERE workspace_id = %s AND state = 'published' AND current_id IS NOT NULL"""


def published_actions() -> Mapping[str, Action]:
    """Return the actions that the current workspace has published, by name."""
    found = {name: _action(version) for name, version in sql.fetch(_PUBLISHED, [current_workspace_id()])}
    return {name: action for name, action in found.items() if action is not None}


def published_action(name: str) -> Action | None:
    """Return the action of that name that the current workspace has published, or None."""
    if not is_name(name):  # a model may ask for anything
        return None
    published = ActionDefinition.objects.filter(name=name, state=ActionDefinition.State.PUBLISHED)
    version = published.values_list("current_id", flat=True).first()
    return _action(version) if version is not None else None


def action_of_version(name: str, number: int) -> Action | None:
    """Return the action of a version of the current workspace, published or not, so that its requests can be shown;
    None if there is no such version.
    """
    version = _version_id(current_workspace_id(), name, number)
    return _action(version, as_made=True) if version is not None else None


def role_in_document(name: str, number: int) -> str:
    """Return the role that a version's document names for approvals; "" if it names none, or if the action was code and
    not a definition. Returns admins if in doubt: if there is no such version, if this release cannot read its format,
    or if it names something other than a role.
    """
    version = _version_id(current_workspace_id(), name, number)
    if version is None:
        return str(Membership.Role.ADMIN) if ActionDefinition.objects.filter(name=name).exists() else ""
    document = ActionDefinitionVersion.objects.values_list("document", flat=True).get(pk=version)
    if not isinstance(document, Mapping) or document.get("format") != FORMAT:
        return str(Membership.Role.ADMIN)
    approval = document.get("approval")
    role = approval.get("role") if isinstance(approval, Mapping) else approval
    if role in (None, ""):
        return ""
    return str(role) if role in Membership.Role.values else str(Membership.Role.ADMIN)


def _version_id(workspace_id: UUID, name: str, number: int) -> UUID | None:
    try:
        return _known_version_id(workspace_id, name, number)
    except ActionDefinitionVersion.DoesNotExist:
        return None


@lru_cache(maxsize=_KEPT)
def _known_version_id(workspace_id: UUID, name: str, number: int) -> UUID:
    versions = ActionDefinitionVersion.objects.filter(workspace_id=workspace_id, definition__name=name, number=number)
    return UUID(str(versions.values_list("id", flat=True).get()))


@lru_cache(maxsize=_KEPT)
def _action(version_id: UUID, *, as_made: bool = False) -> Action | None:
    """Return the action of a version, or None if this release cannot read it; it is then not offered.

    With `as_made`, no proofs are required, so that earlier requests can still be shown and looked up.
    """
    version = ActionDefinitionVersion.objects.get(pk=version_id)
    try:
        definition = parse_document(version.in_entered_order(), is_published=True, as_made=as_made)
    except InvalidDefinition as error:
        logger.error("actions: version %s of a definition is not valid: %s", version_id, sorted(error.fields))
        return None
    return action_from(definition, version.number)


def action_from(definition: Definition, number: int) -> Action:
    """Return the action of a complete definition."""
    kind = DefinedWrite if definition.kind is Kind.WRITE else DefinedRead
    return kind(definition, number)
