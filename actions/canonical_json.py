"""Canonical JSON, and the digest that binds a confirmation to exactly what was shown."""

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

DIGEST_VERSION: Final = 1


def canonical(value: Any) -> bytes:
    """Return UTF-8 JSON: sorted keys, no spaces, every string in Unicode normal form C.

    Money is already a string such as "12.50", so no number here is a float.
    """
    return json.dumps(_normalized(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _normalized(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {_normalized(name): _normalized(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normalized(item) for item in value]
    return value


def digest_of(
    *,
    workspace: UUID,
    customer: UUID,
    request: UUID,
    action: str,
    spec_version: int,
    policy_version: int,
    arguments: Mapping[str, Any],
) -> str:
    """Return the hex SHA-256 that identifies one request for one customer under one policy version."""
    content = {
        "v": DIGEST_VERSION,
        "workspace": str(workspace),
        "customer": str(customer),
        "request": str(request),
        "action": action,
        "spec_version": spec_version,
        "policy_version": policy_version,
        "arguments": arguments,
    }
    return hashlib.sha256(canonical(content)).hexdigest()


def asked_digest_of(action: str, arguments: Mapping[str, Any]) -> str:
    """Return a hash that is the same for equal intents, no matter who asks or how their JSON is formatted."""
    return hashlib.sha256(canonical({"action": action, "arguments": arguments})).hexdigest()


def is_same_digest(given: str, stored: str) -> bool:
    """Return whether two digests are equal, compared in constant time; non-ASCII text never matches."""
    return given.isascii() and hmac.compare_digest(given, stored)
