"""Checks whether the action that undoes a definition exists and takes the arguments it would be given."""

from django.utils.translation import gettext

from actions.definitions.models import ActionDefinition
from actions.definitions.parts import Definition
from actions.registry import code_actions

_NOT_ASKED = ("server", "identity")  # origins of arguments that nobody passes


def problem_of(definition: Definition) -> str:
    """Return the error in `undo`, or "". The other action may be a draft, since two actions may undo each other."""
    undo = definition.undo
    if undo is None:
        return ""
    taken = _arguments_of(undo.action)
    if taken is None:
        return gettext("There is no action named {name}. Save it first; a draft is enough.").format(name=undo.action)
    given = set(definition.arguments) & set(taken) if undo.arguments is None else set(undo.arguments)
    unknown, lacking = given - set(taken), {name for name, is_required in taken.items() if is_required} - given
    if unknown:
        return gettext("{action} has no argument {names}.").format(action=undo.action, names=", ".join(sorted(unknown)))
    if lacking:
        return gettext("{action} needs {names}: say where it comes from.").format(
            action=undo.action, names=", ".join(sorted(lacking))
        )
    return ""


def _arguments_of(name: str) -> dict[str, bool] | None:
    """Return an action's arguments, each with whether it is required; None if there is no such action."""
    known = code_actions().get(name)
    if known is not None:
        return dict.fromkeys(known.arguments.optional, False) | dict.fromkeys(known.arguments.required, True)
    definition = ActionDefinition.objects.filter(name=name).first()
    version = definition.versions.order_by("-number").first() if definition else None
    if version is None:
        return None
    declared = version.document.get("arguments", {})
    asked = {key: one for key, one in declared.items() if one.get("from") not in _NOT_ASKED}
    return {key: bool(one.get("required", True)) for key, one in asked.items()}
