"""Short reference numbers that a customer can read aloud, such as RF-7Q2M-0418."""

import base64
import hashlib


def reference_of(prefix: str, key: str, order_id: str) -> str:
    """Return the reference of a key's operation; the same key always gives the same one."""
    short = base64.b32encode(hashlib.sha256(key.encode()).digest())[:4].decode()
    return f"{prefix}-{short}-{order_id[-4:]}"
