"""Connecting a workspace to its merchant's API."""

from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext

from actions import audit
from actions.connections.auth_kinds import is_webhook_secret
from actions.models import MerchantConnection
from actions.policy_store import add_new_actions, ensure_policies
from supportbot.errors import InvalidInput
from supportbot.outbound.errors import NotSent
from supportbot.outbound.targets import address_problem, parse_endpoint

# The address of the demo shop; the client accepts it only if the settings do.
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1"})


@transaction.atomic
def connect_merchant(base_url: str, secret: str, *, actor: str) -> MerchantConnection:
    """Connect the current workspace to this merchant API.

    The first connection enables every action with its default limits. A later one changes only the address and the
    secret; actions added since then get their rules but stay switched off. `base_url` is the base URL of the merchant
    API, `secret` the Standard Webhooks secret ("whsec_" and base64) that signs our calls; it is stored encrypted. An
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
        root = gettext("Enter the root of the merchant API, such as https://shop.example/merchant/v1.")
        problems["base_url"] = [f"{wrong} {root}"]
    if not is_webhook_secret(secret):
        problems["secret"] = [
            gettext('Enter a Standard Webhooks secret: "whsec_" followed by at least 16 bytes in base64.')
        ]
    if problems:
        raise InvalidInput(fields=problems)


def _address_problem(base_url: str) -> str:
    """Return why an address can never be called; "" if it can."""
    try:
        MerchantConnection(base_url=base_url).clean_fields(exclude=["workspace", "secret"])
        is_demo = parse_endpoint(base_url).host in LOOPBACK_HOSTS
    except ValidationError:
        return gettext("This is not a web address, or it has more than 300 characters.")
    except NotSent as error:
        return f"{error.why.capitalize()}."
    problem = "" if is_demo else address_problem(base_url)
    if problem:
        return f"{problem[:1].upper()}{problem[1:]}."
    if "?" in base_url or "#" in base_url:
        return gettext("The address must end with its path, without ? or #.")
    return ""
