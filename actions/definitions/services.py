"""Saving, renaming and deleting defined actions. The audit trail records every step. Saved versions never change: each
save that changes anything creates a new one. Only an action that was never published can be deleted.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from actions import audit
from actions.audit import actor_of
from actions.definitions.errors import (
    InvalidDefinition,
    NotPublisher,
    Outdated,
)
from actions.definitions.key_order import entered_order
from actions.definitions.models import ActionDefinition, ActionDefinitionVersion, DefinitionCase
from actions.definitions.parsing.document import check_draft, missing
from actions.definitions.publishing import publishers
from actions.definitions.selectors import newest_version, tool_read_since, version_of
from actions.reasons import one_line
from actions.registry import code_actions
from supportbot.accounts.models import User


def missing_in(document: Any) -> list[str]:
    """Return the JSON paths of the parts that a document still lacks before it can be published."""
    return missing(document)


def save_draft(
    document: Mapping[str, Any],
    *,
    actor: str,
    origin: str = ActionDefinition.Origin.CONSOLE,
    imported: Mapping[str, Any] | None = None,
    reason: str = "",
    based_on: int | None = None,
    restored: int = 0,
) -> ActionDefinitionVersion:
    """Save a document as the newest version of the definition that it names, and return the version; if nothing
    changed, return the existing one. The document may lack parts, and nothing changes for customers. `imported`
    contains further results of an import. `based_on` is the version that was edited, or 0 for a definition that must
    not exist yet. `restored` is the number of the version that the document was restored from, or 0. Raises
    InvalidDefinition with each mistake, or Outdated if another version has been saved since.
    """
    why = one_line("reason", reason)
    check_draft(document)
    name = _name_in(document)
    with transaction.atomic():
        definition = _locked(name, origin)
        newest = definition.versions.order_by("-number").first()
        if based_on is not None and based_on != (newest.number if newest else 0):
            raise Outdated(name, newest.number if newest else 0)
        if newest is not None and (equal := _equal_version(newest, document, is_import=imported is not None)):
            return equal
        version = ActionDefinitionVersion.objects.create(
            definition=definition,
            number=newest.number + 1 if newest else 1,
            document=dict(document),
            argument_order=entered_order(document.get("arguments")),
            imported=dict(imported or {}),
            created_by=actor,
        )
        source: dict[str, Any] = {"restored": restored} if restored else {}
        audit.record(
            "definition.saved", actor=actor, action=name, version=version.number, origin=str(origin), reason=why,
            **source,
        )  # fmt: skip
    return version


def _equal_version(
    newest: ActionDefinitionVersion, document: Mapping[str, Any], *, is_import: bool
) -> ActionDefinitionVersion | None:
    """Return the newest version if it has this document; for an import, any version that does, because importing the
    same file again adds nothing.

    If a tool of the newest version or of the document has changed since its review, only the newest version counts: an
    import then creates a draft for reviewing the tool again, even if an earlier version is equal.
    """
    if _is_same(newest, document):
        return newest
    if not is_import or tool_read_since(newest.document) or tool_read_since(document):
        return None
    equal: ActionDefinitionVersion | None = newest.definition.versions.filter(document=dict(document)).first()
    return equal


def restore_version(definition: ActionDefinition, number: int, *, actor: str, based_on: int) -> ActionDefinitionVersion:
    """Save the document of an earlier version as a new draft, and return the draft. What is published does not change.
    If the newest version already has this document, return that version.

    `based_on` is the newest version that the person saw. Raises NoSuchDefinition, Outdated, or InvalidDefinition for a
    document that this release no longer accepts.
    """
    document = version_of(definition, number).in_entered_order()
    return save_draft(document, actor=actor, based_on=based_on, restored=number)


def _is_same(version: ActionDefinitionVersion, document: Mapping[str, Any]) -> bool:
    """Return whether a document equals that of a version. The order of arguments counts, because it is the order of the
    questions.
    """
    orders = (entered_order(one.get("arguments")) for one in (version.in_entered_order(), document))
    return bool(version.document == document) and len(set(orders)) == 1


def _name_in(document: Mapping[str, Any]) -> str:
    name = document.get("name")
    if not isinstance(name, str):
        raise InvalidDefinition(fields={"name": [gettext("This is required.")]})
    if name in code_actions() or name in settings.ACTIONS_RESERVED_NAMES:
        taken = gettext("{name} is an action of the product. Choose another name.").format(name=name)
        raise InvalidDefinition(fields={"name": [taken]})
    return name


def _locked(name: str, origin: str) -> ActionDefinition:
    definition = ActionDefinition.objects.select_for_update(no_key=True).filter(name=name).first()
    if definition is not None:
        return definition
    try:
        with transaction.atomic():
            return ActionDefinition.objects.create(name=name, origin=origin)
    except IntegrityError:  # saved concurrently
        return ActionDefinition.objects.select_for_update(no_key=True).get(name=name)


def delete_drafts(names: Iterable[str], *, person: User) -> list[str]:
    """Delete actions that were never published, with their versions and recorded cases; return their names. Others are
    left alone, because their versions explain past requests. Raises NotPublisher.
    """
    if person.pk not in publishers():
        raise NotPublisher()
    with transaction.atomic():
        unpublished = ActionDefinition.objects.filter(
            name__in=list(names), state=ActionDefinition.State.DRAFT, current=None
        )
        found = list(unpublished.select_for_update().order_by("pk"))
        for definition in found:
            saved = definition.versions.count()
            audit.record("definition.deleted", actor=actor_of(person), action=definition.name, versions=saved)
            definition.delete()
    return sorted(definition.name for definition in found)


@transaction.atomic
def save_renamed(
    document: Mapping[str, Any], names: Mapping[str, str], *, actor: str, **given: Any
) -> tuple[ActionDefinitionVersion, list[str]]:
    """Save a document whose arguments have been renamed (`names` maps old names to new ones). The recorded cases get
    the new names, and so does a new draft of each action that this one undoes. Return the version and the names of
    these actions. Raises the same errors as `save_draft`.
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
