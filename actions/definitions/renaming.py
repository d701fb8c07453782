"""What follows when arguments of a definition are renamed: its recorded cases, and the actions that undo with it."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction

from actions import audit
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.services import newest_version, save_draft


@transaction.atomic
def save_renamed(
    document: Mapping[str, Any], names: Mapping[str, str], *, actor: str, **given: Any
) -> tuple[ActionDefinitionVersion, list[str]]:
    """Save a document whose arguments have been renamed (`names`: the new ones by the old ones), with its recorded
    cases and a draft of each other action whose undo passes them. Return the version and the names of these actions;
    raises what `save_draft` raises.
    """
    version = save_draft(document, actor=actor, **given)
    for case in DefinitionCase.objects.filter(definition_id=version.definition_id):
        arguments = _renamed(case.arguments, names)
        if arguments != case.arguments:
            DefinitionCase.objects.filter(pk=case.pk).update(arguments=arguments)
            audit.record("definition.case_changed", actor=actor, action=version.definition.name, case=str(case.pk))
    return version, _undone_by(version.definition.name, names, actor)


def _undone_by(action: str, names: Mapping[str, str], actor: str) -> list[str]:
    """Save a draft of each action that this one undoes, with the new names; return their names."""
    saved: list[str] = []
    for definition in ActionDefinition.objects.exclude(name=action).order_by("name"):
        document = newest_version(definition).document
        undo = document.get("undo")
        given = undo.get("arguments") if isinstance(undo, Mapping) and undo.get("action") == action else None
        if isinstance(given, Mapping) and names.keys() & given.keys():
            changed = {**document, "undo": {**undo, "arguments": _renamed(given, names)}}
            save_draft(changed, actor=actor, origin=definition.origin)
            saved.append(definition.name)
    return saved


def _renamed(arguments: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in arguments.items()}
