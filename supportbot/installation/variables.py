"""Misspelt names of environment variables: otherwise, the start would continue without the intended settings."""

import re
from collections.abc import Collection, Mapping
from typing import Final

PREFIX: Final = "SUPPORTBOT_"
SHORTEST: Final = 8  # letters; HOST and PORT are one letter away from other programs' variables
# Kubernetes sets these for each service of a namespace, named by the service.
_SERVICE_LINK: Final = re.compile(r".+_(SERVICE_(HOST|PORT\w*)|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)")


def unknown_name(environment: Mapping[str, str], known: Collection[str]) -> str | None:
    """Return a sentence about the first variable that must be a mistake, None if there is none. Mistakes are unknown
    variables with our prefix, and names one letter away from an unset setting. `known` are the names of all settings.
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
    return _SERVICE_LINK.fullmatch(name) is not None and (not name.endswith("_PORT") or "://" in value)


def _is_near(name: str, other: str) -> bool:
    """True if one letter was left out, added, replaced, or swapped with its neighbour."""
    if len(other) < SHORTEST or abs(len(name) - len(other)) > 1:
        return False
    start = next((i for i, pair in enumerate(zip(name, other, strict=False)) if pair[0] != pair[1]), None)
    if start is None:
        return True
    rest, wanted = name[start:], other[start:]
    swapped = rest[:2] == wanted[1::-1] and rest[2:] == wanted[2:]
    return swapped or rest[1:] == wanted or rest == wanted[1:] or rest[1:] == wanted[1:]
