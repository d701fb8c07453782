"""The rights of each role in the console: the API's scopes, and a few rights that only people can have."""

from collections.abc import Mapping
from typing import Final

from supportbot.accounts.principals import SCOPES, Staff

# API keys cannot have these rights, which would let a program extend its own rights.
CONSOLE_RIGHTS: Final[Mapping[str, frozenset[str]]] = {
    "connections:write": frozenset({"admin"}),
    "console:open": frozenset({"editor", "agent", "supervisor", "admin"}),
    "definitions:read": frozenset({"supervisor", "admin"}),
    "definitions:write": frozenset({"admin"}),
    "rules:write": frozenset({"admin"}),
    "team:write": frozenset({"admin"}),
}
RIGHTS: Final = SCOPES | frozenset(CONSOLE_RIGHTS)


def may(staff: Staff, right: str) -> bool:
    """Return whether a person has a right. Raises KeyError for an unknown right, which is a programming error."""
    if right in SCOPES:
        return staff.may(right)
    return staff.role in CONSOLE_RIGHTS[right]
