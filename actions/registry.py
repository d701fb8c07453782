"""The registry of actions: every module of `catalogue/` defines one as ACTION."""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from actions import catalogue
from actions.errors import UnknownAction
from actions.facts import Order
from actions.spec import Action, ReadAction, WriteAction


@cache
def all_actions() -> Mapping[str, Action]:
    """Return all actions by name, sorted by name."""
    modules = sorted(module.name for module in iter_modules(catalogue.__path__))
    actions: list[Action] = [import_module(f"{catalogue.__name__}.{name}").ACTION for name in modules]
    return {action.name: action for action in actions}


def action_named(name: str) -> Action:
    """Return the action with exactly this name; raises UnknownAction."""
    try:
        return all_actions()[name]
    except KeyError:
        raise UnknownAction(fields={"action": [f"Choose one of {', '.join(all_actions())}."]}) from None


def write_action(name: str, version: int) -> WriteAction | None:
    """Return the action that a request was made for, or None if the code has no such action in that version."""
    action = all_actions().get(name)
    return action if isinstance(action, WriteAction) and action.version == version else None


def applicable_actions(order: Order) -> list[str]:
    """Return the names of the actions that the order's state allows."""
    writes = [action for action in all_actions().values() if isinstance(action, WriteAction)]
    return [action.name for action in writes if action.is_applicable(order)]


def read_action(name: str) -> ReadAction:
    action = action_named(name)
    if not isinstance(action, ReadAction):
        raise UnknownAction(f"{name} changes something, so it needs a confirmed request.")
    return action
