"""A hash of what a person has reviewed about an external tool. Pure."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Final

_REVIEWED: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")


def fingerprint(tool: Mapping[str, Any]) -> str:
    """Return a hash of what a person reviewed: a tool's name, texts, schemas and hints, regardless of the order of
    keys.
    """
    reviewed = {key: tool.get(key) for key in _REVIEWED}
    return hashlib.sha256(json.dumps(reviewed, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
