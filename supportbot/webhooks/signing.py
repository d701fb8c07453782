"""The body and headers of a delivery, according to Standard Webhooks (https://www.standardwebhooks.com)."""

import json
import secrets
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from standardwebhooks import Webhook

SECRET_BYTES: Final = 32


def new_secret() -> str:
    return f"whsec_{b64encode(secrets.token_bytes(SECRET_BYTES)).decode()}"


def body_of(payload: Mapping[str, Any]) -> bytes:
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(message_id: str, body: bytes, moment: datetime, keys: Iterable[str]) -> dict[str, str]:
    """Return the headers of one attempt.

    It is signed with every key, since a receiver accepts any signature that it can verify.
    """
    signatures = [Webhook(key).sign(message_id, moment, body.decode()) for key in keys]
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
