"""Connecting a workspace to its merchant's system."""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction

from actions import audit
from actions.connectors.addresses import is_address, is_public
from actions.connectors.client import NotSent, place_of
from actions.models import MerchantConnection
from actions.policies import ensure_policies, take_up_new_actions
from supportbot.errors import InvalidInput

SECRET_BYTES: Final = 16
# Where the demo's shop is; the client calls it there alone.
ON_THIS_MACHINE: Final = frozenset({"127.0.0.1"})


@transaction.atomic
def connect_merchant(base_url: str, secret: str, *, actor: str) -> MerchantConnection:
    """Let the scope's workspace act through this merchant API.

    The first connection offers every action there is, each with its own limits. A later one is about address and
    secret: it switches nothing on, and an action that came meanwhile gets its rules switched off. `base_url` is the
    root of the merchant API, `secret` the Standard Webhooks secret ("whsec_" and base64) that signs our calls; it is
    stored encrypted. Raises InvalidInput. An equal connection is left as it is.
    """
    _check(base_url, secret)
    found: MerchantConnection | None = MerchantConnection.objects.first()
    connection = found or MerchantConnection()
    if (connection.base_url, connection.secret) != (base_url, secret):
        connection.base_url, connection.secret = base_url, secret
        connection.save()
        audit.record("merchant.connected", actor=actor, host=urlsplit(base_url).netloc)
    if found is None:
        ensure_policies(actor=actor)
    else:
        take_up_new_actions(actor=actor)
    return connection


def _check(base_url: str, secret: str) -> None:
    problems: dict[str, list[str]] = {}
    if wrong := _wrong_address(base_url):
        problems["base_url"] = [f"{wrong} Give the root of the merchant API, such as https://shop.example/merchant/v1."]
    if not _is_secret(secret):
        problems["secret"] = ['Give a Standard Webhooks secret: "whsec_" followed by base64 of at least 16 bytes.']
    if problems:
        raise InvalidInput(fields=problems)


def _wrong_address(base_url: str) -> str:
    """Return why no call could ever go to an address, "" where it could."""
    try:
        MerchantConnection(base_url=base_url).clean_fields(exclude=["workspace", "secret"])
        place = place_of(base_url)
    except ValidationError:
        return "This is no web address of at most 300 characters."
    except NotSent as error:
        return f"{str(error).capitalize()}."
    if place.host in ON_THIS_MACHINE:
        return ""
    if not place.is_for_the_web:
        return "Calls go to https on port 443 or 8443 only."
    if is_address(place.host) and not is_public(place.host):
        return "Calls go to the public internet only."
    return "It must end with its path, without ? and #." if "?" in base_url or "#" in base_url else ""


def _is_secret(secret: str) -> bool:
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True)) >= SECRET_BYTES
    except (NotBase64, ValueError):
        return False
