"""Checks of query parameters, for REST lists and for pages."""

from collections.abc import Iterable, Set
from uuid import UUID

from supportbot.errors import InvalidInput


def check_query(names: Iterable[str], known: Set[str]) -> None:
    """Raise InvalidInput for an unknown filter. Otherwise, a typo would give a result that looks valid."""
    if unknown := sorted(set(names) - known):
        raise InvalidInput(fields={name: ["Unknown field."] for name in unknown})


def one_of(field: str, value: str, choices: Iterable[str]) -> str:
    """Return the value of a query parameter. Raises InvalidInput unless it is one of the choices."""
    if value not in (known := list(choices)):
        raise InvalidInput(fields={field: [f"Choose one of {', '.join(known)}."]})
    return value


def id_of(field: str, value: str) -> UUID:
    """Return the value of a query parameter as an id. Raises InvalidInput if it is not one."""
    try:
        return UUID(value)
    except ValueError as error:
        raise InvalidInput(fields={field: ["This is not a valid id (UUID)."]}) from error
