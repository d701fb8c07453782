"""What a role may see and change in the console. The API's scopes decide, and a few rights that only people have."""

from collections.abc import Mapping
from typing import Final

from supportbot.accounts.principals import SCOPES, Staff

# No API key can hold these: they would let a program make itself stronger.
CONSOLE_RIGHTS: Final[Mapping[str, frozenset[str]]] = {
    "console:open": frozenset({"editor", "agent", "supervisor", "admin"}),
    "costs:read": frozenset({"supervisor", "admin"}),
    "rules:write": frozenset({"admin"}),
    "team:write": frozenset({"admin"}),
}
RIGHTS: Final = SCOPES | frozenset(CONSOLE_RIGHTS)


def may(staff: Staff, right: str) -> bool:
    """Say whether a person holds a right; an unknown one is a programming error and raises KeyError."""
    if right in SCOPES:
        return staff.may(right)
    return staff.role in CONSOLE_RIGHTS[right]
