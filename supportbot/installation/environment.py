"""Reads settings from environment variables.

It checks their types, and detects misspelt names, which would otherwise be ignored.
"""

import os
import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from typing import Any, Final

import environ
from django.core.exceptions import ImproperlyConfigured

PREFIX: Final = "SUPPORTBOT_"
LAST_PORT: Final = 65535
SHORTEST: Final = 8  # letters; shorter names, such as HOST and PORT, are too similar to other programs' variables
_LIBPQ_VARIABLE: Final = re.compile(r"PG[A-Z]+")
# Kubernetes sets these variables, named after the service, for each service of a namespace. It also sets NAME_PORT,
# which contains an address.
_SERVICE_LINK: Final = re.compile(r".+_(SERVICE_HOST|SERVICE_PORT\w*|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")
_SERVICE_ADDRESSES: Final = ("tcp://", "udp://", "sctp://")


class Env(environ.Env):
    """django-environ, except that a value of the wrong type raises an error in plain words."""

    BOOLEAN_FALSE_STRINGS = ("false", "off", "n", "no", "0", "")
    names: set[str] = set()  # the names of all settings, collected when they are read

    def get_value(self, var: str, cast: Any = None, **kwargs: Any) -> Any:  # Any: the cast decides the type
        self.names.add(var)
        value = os.environ.get(var, "")
        if cast is bool and value.strip().lower() not in self.BOOLEAN_TRUE_STRINGS + self.BOOLEAN_FALSE_STRINGS:
            raise ImproperlyConfigured(f"{var}={value} is neither true nor false.")
        try:
            # a secret may start with $, which must not be read as a reference to another variable
            if value.startswith("$"):
                return self.parse_value(value, cast)
            return super().get_value(var, cast=cast, **kwargs)
        except ValueError as error:
            kind = {int: "a whole number", float: "a number"}.get(cast, "readable")
            raise ImproperlyConfigured(f"{var}={os.environ.get(var)} is not {kind}.") from error

    def at_least(self, name: str, least: int, *, default: int, why: str) -> int:
        """Return a whole number. Raises ImproperlyConfigured, with the reason `why`, if it is below `least`."""
        value = int(self.int(name, default=default))
        if value < least:
            raise ImproperlyConfigured(f"{name}={value} is below {least}{why}")
        return value

    def port(self, name: str, *, default: int, zero: str = "") -> int:
        """Return a port. Raises ImproperlyConfigured for a number that cannot be a port.

        0 is allowed; `zero` is the part of the error's message that says what 0 is for.
        """
        if os.environ.get(name, "").startswith(_SERVICE_ADDRESSES):  # Kubernetes sets SHOP_PORT for a service `shop`
            return default
        value = int(self.int(name, default=default))
        if name in os.environ and not 0 <= value <= LAST_PORT:
            raise ImproperlyConfigured(f"{name}={value} is not a valid port. Choose one from 1 to {LAST_PORT}{zero}.")
        return value


def is_field_key(text: str) -> bool:
    """Return whether a string is 32 bytes in URL-safe base64."""
    try:
        return len(urlsafe_b64decode(text)) == 32
    except ValueError:
        return False


def unknown_name(environment: Mapping[str, str], known: Collection[str]) -> str | None:
    """Return a sentence about the first variable that must be a mistake, or None if there is none.

    Mistakes are unknown variables with our prefix, and names that differ by one letter from a setting that is not set.
    `known` contains the names of all settings.
    """
    for name in sorted(environment):
        if name in known or not environment[name] or _is_service_link(name, environment[name]):
            continue
        if name.startswith(PREFIX):
            ours = ", ".join(sorted(other for other in known if other.startswith(PREFIX)))
            return f"{name} is not a setting of SupportBot. The known ones are: {ours}."
        meant = [other for other in sorted(known) if not environment.get(other) and _is_near(name, other)]
        if meant:
            return f"{name} is not a setting of SupportBot. Did you mean {meant[0]}? Rename or unset it."
    return None


def _is_service_link(name: str, value: str) -> bool:
    return _SERVICE_LINK.fullmatch(name) is not None or (name.endswith("_PORT") and "://" in value)


def _is_near(name: str, other: str) -> bool:
    """Return whether two names differ by a letter that is missing, extra, replaced or swapped with its neighbour."""
    if len(other) < SHORTEST or abs(len(name) - len(other)) > 1:
        return False
    start = next((i for i, pair in enumerate(zip(name, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return True
    rest, wanted = name[start:], other[start:]
    swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
    return swapped or rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:]


def clear_libpq_environment() -> None:
    """Remove libpq's PG* variables, for this process and its children, because PGHOSTADDR would override a URL's
    host.
    """
    for name in [name for name in os.environ if _LIBPQ_VARIABLE.fullmatch(name)]:
        del os.environ[name]
