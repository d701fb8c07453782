"""What changed action rules would break, asked of a higher room: the setting `ACTIONS_GATES` names it."""

from collections.abc import Sequence
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string
from django.utils.translation import gettext, gettext_noop

from actions.errors import ActionError
from actions.policy import Rules, allows_more


class Gates(Protocol):
    """Tries other rules for an action with the cases that must pass, and returns those that would fail."""

    def __call__(self, rules: Rules, action: str) -> list[str]: ...


class GatesRefuse(ActionError):
    """A case that must pass would fail, and the caller asked not to change the rules in that case."""

    code = "gate_refused"
    status = 409
    default_message = gettext_noop("The gates refuse these rules.")

    def __init__(self, cases: Sequence[str]) -> None:
        named = "; ".join(cases[:5])
        super().__init__(gettext("Gate cases that must pass would fail: {names}.").format(names=named))


def refusals(rules: Rules, was: Rules, action: str) -> list[str]:
    """Return the cases of the gates that would fail under other rules; none for rules that only forbid more."""
    if not allows_more(rules, was):
        return []
    gates: Gates = import_string(settings.ACTIONS_GATES)
    return gates(rules, action)
