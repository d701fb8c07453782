"""Connecting a workspace to its merchant's API."""

from base64 import b64decode
from binascii import Error as NotBase64
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction

from actions import audit
from actions.connectors.addresses import is_address, is_public
from actions.connectors.client import NotSent, parse_endpoint
from actions.models import MerchantConnection
from actions.policies import add_new_actions, ensure_policies
from supportbot.errors import InvalidInput

SECRET_BYTES: Final = 16
# The demo shop runs there; the client accepts no other private address.
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1"})


@transaction.atomic
def connect_merchant(base_url: str, secret: str, *, actor: str) -> MerchantConnection:
    """Connect the current workspace to this merchant API.

    The first connection enables every action with its default limits. A later one changes only address and secret:
    actions that were added meanwhile get their rules, switched off. `base_url` is the root of the merchant API,
    `secret` the Standard Webhooks secret ("whsec_" and base64) that signs our calls; it is stored encrypted. An
    identical connection is left unchanged. Raises InvalidInput.
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
        add_new_actions(actor=actor)
    return connection


def _check(base_url: str, secret: str) -> None:
    problems: dict[str, list[str]] = {}
    if wrong := _address_problem(base_url):
        problems["base_url"] = [
            f"{wrong} Enter the root of the merchant API, such as https://shop.example/merchant/v1."
        ]
    if not _is_secret(secret):
        problems["secret"] = ['Enter a Standard Webhooks secret: "whsec_" followed by at least 16 bytes in base64.']
    if problems:
        raise InvalidInput(fields=problems)


def _address_problem(base_url: str) -> str:
    """Return why an address can never be called, or "" if it can."""
    try:
        MerchantConnection(base_url=base_url).clean_fields(exclude=["workspace", "secret"])
        endpoint = parse_endpoint(base_url)
    except ValidationError:
        return "This is not a web address, or it has more than 300 characters."
    except NotSent as error:
        return f"{str(error).capitalize()}."
    if endpoint.host in LOOPBACK_HOSTS:
        return ""
    if not endpoint.is_public_https:
        return "The address must use https on port 443 or 8443."
    if is_address(endpoint.host) and not is_public(endpoint.host):
        return "The address must be in the public internet."
    return "The address must end with its path, without ? or #." if "?" in base_url or "#" in base_url else ""


def _is_secret(secret: str) -> bool:
    try:
        return len(b64decode(secret.removeprefix("whsec_"), validate=True)) >= SECRET_BYTES
    except (NotBase64, ValueError):
        return False
