"""The registry of actions: every module in `catalogue/` defines one as ACTION, and a workspace can publish its own."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from django.utils.translation import gettext

from actions import catalogue
from actions.definitions.published import action_of_version, published_action, published_actions, role_in_document
from actions.errors import UnknownAction
from actions.facts import ORDER, Order
from actions.spec import Action, ReadAction, WriteAction
from supportbot.accounts.scope import scoped_workspace_id


@cache
def code_actions() -> Mapping[str, Action]:
    """Return the built-in actions by name, sorted by name."""
    modules = sorted(module.name for module in iter_modules(catalogue.__path__))
    actions: list[Action] = [import_module(f"{catalogue.__name__}.{name}").ACTION for name in modules]
    return {action.name: action for action in actions}


def all_actions() -> Mapping[str, Action]:
    """Return all actions in force by name, sorted by name: the built-in ones and those of the current workspace."""
    published = {} if scoped_workspace_id() is None else published_actions()
    return dict(sorted({**published, **code_actions()}.items())) if published else code_actions()


def action_named(name: str) -> Action:
    """Return the action with exactly this name; raises UnknownAction."""
    action = action_in_force(name)
    if action is None:
        raise UnknownAction(
            fields={"action": [gettext("Choose one of: {names}.").format(names=", ".join(all_actions()))]}
        )
    return action


def action_in_force(name: str) -> Action | None:
    """Return the action with this name, or None; built-in ones need no query."""
    code = code_actions().get(name)
    return code if code is not None or scoped_workspace_id() is None else published_action(name)


def write_action(name: str, version: int) -> WriteAction | None:
    """Return the action that a request was made for; None if its version is not in force."""
    action = action_in_force(name)
    return action if isinstance(action, WriteAction) and action.version == version else None


def action_as_made(name: str, version: int) -> Action | None:
    """Return the action that a request was made for, in force or not, so that the request can be shown and its outcome
    looked up; None if the action is gone.
    """
    code = code_actions().get(name)
    return code if code is not None or scoped_workspace_id() is None else action_of_version(name, version)


def approval_role(name: str, version: int) -> str:
    """Return the role that may decide on a request of this action in addition to admins; "" if anyone with the right on
    its policy may. A version that this release can no longer read keeps its role.
    """
    action = action_as_made(name, version)
    if isinstance(action, WriteAction):
        return action.approval_role
    return "" if scoped_workspace_id() is None else role_in_document(name, version)


def applicable_actions(order: Order) -> list[str]:
    """Return the names of the actions that the order's state allows."""
    writes = [action for action in all_actions().values() if isinstance(action, WriteAction)]
    return [action.name for action in writes if action.subject_kind == ORDER and action.is_applicable(order)]


def read_action(name: str) -> ReadAction:
    action = action_named(name)
    if not isinstance(action, ReadAction):
        raise UnknownAction(gettext("{action} changes something, so it needs a confirmed request.").format(action=name))
    return action
