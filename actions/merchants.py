"""Connecting a workspace to its merchant's system."""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction

from actions import audit
from actions.models import MerchantConnection
from actions.policies import ensure_policies
from supportbot.errors import InvalidInput

SECRET_BYTES: Final = 16


@transaction.atomic
def connect_merchant(base_url: str, secret: str, *, actor: str) -> MerchantConnection:
    """Let the scope's workspace act through this merchant API, with a policy for every action it has none for yet.

    `base_url` is the root of the merchant API, `secret` the Standard Webhooks secret ("whsec_" and base64) that signs
    our calls; it is stored encrypted. Raises InvalidInput. An equal connection is left as it is.
    """
    _check(base_url, secret)
    found: MerchantConnection | None = MerchantConnection.objects.first()
    if found is not None and (found.base_url, found.secret) == (base_url, secret):
        ensure_policies(actor=actor)
        return found
    connection = found or MerchantConnection()
    connection.base_url, connection.secret = base_url, secret
    connection.save()
    audit.record("merchant.connected", actor=actor, host=urlsplit(base_url).netloc)
    ensure_policies(actor=actor)
    return connection


def _check(base_url: str, secret: str) -> None:
    problems: dict[str, list[str]] = {}
    try:
        MerchantConnection(base_url=base_url, secret=secret).clean_fields(exclude=["workspace", "secret"])
        if urlsplit(base_url).scheme not in ("http", "https") or urlsplit(base_url).username:
            raise ValidationError("no web address")
    except (ValidationError, ValueError):
        problems["base_url"] = ["Give the root of the merchant API, such as https://shop.example/merchant/v1."]
    if not _is_secret(secret):
        problems["secret"] = ['Give a Standard Webhooks secret: "whsec_" followed by base64 of at least 16 bytes.']
    if problems:
        raise InvalidInput(fields=problems)


def _is_secret(secret: str) -> bool:
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True)) >= SECRET_BYTES
    except (NotBase64, ValueError):
        return False
