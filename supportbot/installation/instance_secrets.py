"""The secrets of an installation, which are in the file secrets.json in its data directory."""

import base64
import hashlib
import hmac
import json
import secrets as random
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from supportbot.installation.errors import StartRefused
from supportbot.installation.private_files import are_strings, create_once, read_json


@dataclass(frozen=True)
class Secrets:
    """Secrets that are generated once per data directory; anyone who has them controls the instance."""

    secret_key: str
    field_key: str  # 32 bytes in URL-safe base64, for secrets at rest
    database_password: str
    valkey_password: str
    demo_key: str
    identity_secret: str  # signs the demo shop's identity tokens (HS256)
    webhook_secret: str  # in the format of Standard Webhooks: "whsec_" and base64

    @property
    def application_password(self) -> str:
        """Return the database password for the application's role. It is derived from the owner's password."""
        return hmac.digest(self.database_password.encode(), b"application", hashlib.sha256).hex()[:48]

    def demo_password(self, username: str) -> str:
        """Return the initial password of a demo user. It is different for each user, and the same at every start."""
        digest = hmac.digest(self.demo_key.encode(), username.encode(), hashlib.sha256)
        return base64.b32encode(digest)[:16].decode().lower()


def ensure_secrets(data_dir: Path) -> Secrets:
    """Return the directory's secrets. The first call generates them; concurrent callers get the same ones."""
    path = data_dir / "secrets.json"
    content = read_json(path)
    if content is None:
        data_dir.mkdir(parents=True, exist_ok=True)
        create_once(path, json.dumps(asdict(_new_secrets()), indent=2))
        content = read_json(path)
    try:
        return _secrets_from(content or {})
    except TypeError as error:
        raise StartRefused(
            f"{path} lacks a secret or has one that this version does not know. Restore the file that belongs to this "
            "DATA_DIR, or choose another DATA_DIR."
        ) from error


def _secrets_from(content: dict[str, Any]) -> Secrets:
    if not are_strings(content.values()) or not all(content.values()):
        raise TypeError("a secret must be a non-empty string")
    return Secrets(**content)


def _new_secrets() -> Secrets:
    return Secrets(
        secret_key=random.token_urlsafe(50),
        field_key=base64.urlsafe_b64encode(random.token_bytes(32)).decode(),
        # Hexadecimal, because they are used in URLs, in which other characters would need quoting.
        database_password=random.token_hex(24),
        valkey_password=random.token_hex(24),
        demo_key=random.token_hex(32),
        identity_secret=random.token_urlsafe(32),
        webhook_secret="whsec_" + base64.b64encode(random.token_bytes(32)).decode(),
    )
