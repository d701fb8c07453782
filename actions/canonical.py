"""One way to write a value, and the digest that binds a confirmation to exactly what was shown."""

import hashlib
import hmac
import json
import unicodedata
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

DIGEST_VERSION: Final = 1


def canonical(value: Any) -> bytes:
    """Return UTF-8 JSON: keys sorted, no spaces, every text in Unicode's composed form (NFC).

    Money is a text such as "12.50" by then, so no number here is a float.
    """
    return json.dumps(_composed(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _composed(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, Mapping):
        return {_composed(name): _composed(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_composed(item) for item in value]
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
    """Return the hex SHA-256 that stands for one request to one customer under one policy."""
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
    """Return the hash by which an equal wish is recognised, whoever asks and however its JSON was written."""
    return hashlib.sha256(canonical({"action": action, "arguments": arguments})).hexdigest()


def is_same_digest(given: str, stored: str) -> bool:
    """Compare in constant time; whatever is not ASCII is no digest."""
    return given.isascii() and hmac.compare_digest(given, stored)
