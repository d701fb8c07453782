"""Customers: those with a verified identity, and anonymous visitors, who have a secret.

This module creates customers and looks them up by id, identity token or page pass, or by secret if the workspace is not
known yet.
"""

import secrets
from dataclasses import dataclass
from uuid import UUID

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db.models import Q
from django.utils.translation import gettext

from supportbot.accounts.channels import channel_by_key
from supportbot.accounts.errors import InvalidToken, InvalidVisitor
from supportbot.accounts.hosted_page_credentials import PREFIX, caller_of_page_pass
from supportbot.accounts.identity import Identity, verify_identity
from supportbot.accounts.models import Channel, Customer, hash_secret
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.errors import NotFound


@dataclass(frozen=True, slots=True)
class NewVisitor:
    """An anonymous customer and the secret that identifies them on later visits."""

    customer: Customer
    secret: str


def customer_for_identity(channel: Channel, identity: Identity) -> Customer:
    """Return the customer with a verified identity.

    They are created, or updated with the identity's name, e-mail and locale.
    """
    claims = {"name": identity.name, "email": _valid_email(identity.email), "locale": identity.locale}
    claims = {field: value for field, value in claims.items() if value}
    with workspace_scope(channel.workspace_pk):
        customer, is_new = Customer.objects.get_or_create(external_id=identity.subject, defaults=claims)
        changed = [field for field, value in claims.items() if getattr(customer, field) != value]
        if changed and not is_new:
            for field in changed:
                setattr(customer, field, claims[field])
            customer.save(update_fields=changed)
    return customer


def _valid_email(address: str) -> str:
    try:
        validate_email(address)
    except ValidationError:
        return ""
    return address


def new_visitor(channel: Channel, *, locale: str = "") -> NewVisitor:
    """Create an anonymous customer with a 256-bit random secret, stored hashed."""
    secret = f"vs_{secrets.token_urlsafe(32)}"
    with workspace_scope(channel.workspace_pk):
        customer = Customer.objects.create(visitor_hash=hash_secret(secret), locale=locale)
    return NewVisitor(customer, secret)


def customer_named(name: str) -> Customer:
    """Return a customer of the current workspace by our id or the merchant's. Raises NotFound."""
    try:
        wanted = Q(pk=UUID(name)) | Q(external_id=name)
    except ValueError:
        wanted = Q(external_id=without_nul(name))
    customer: Customer | None = Customer.objects.filter(wanted).order_by("pk").first()
    if customer is None:
        raise NotFound(gettext("There is no customer {name} in this workspace.").format(name=name))
    return customer


def without_nul(text: str) -> str:
    """Return the search text without NUL characters. PostgreSQL refuses queries that contain them, and no row can."""
    return text.replace("\0", "�")


def customer_by_visitor_secret(secret: str) -> CustomerCaller:
    """Return the anonymous customer with this visitor secret; raises InvalidVisitor."""
    with across_workspaces("look-up by visitor secret"):
        customer = Customer.objects.filter(visitor_hash=hash_secret(secret)).first()
    if customer is None:
        raise InvalidVisitor()
    return CustomerCaller(customer.workspace_pk, customer.pk, is_verified=False)


def customer_by_token(channel: Channel, token: str) -> CustomerCaller:
    """Return the customer whose identity token or page pass is valid on this channel. Raises InvalidToken."""
    if token.startswith(PREFIX):
        return _by_page_pass(channel, token)
    identity = verify_identity(channel, token)
    customer = customer_for_identity(channel, identity)
    return CustomerCaller(
        channel.workspace_pk, customer.pk, is_verified=True, channel_id=channel.pk, expires_at=identity.expires_at
    )


def _by_page_pass(channel: Channel, text: str) -> CustomerCaller:
    caller = caller_of_page_pass(text)
    if caller.channel_id != channel.pk:
        raise InvalidToken("The page pass is for another channel.")
    return caller


def customer_by_bearer_token(token: str, audience: str) -> CustomerCaller:
    """Like `customer_by_token`, but with the channel that the token names as its audience, which is not verified
    yet.
    """
    channel = channel_by_key(audience)
    if channel is None:
        raise InvalidToken("The identity token is for another audience. `aud` must be the channel's key.")
    return customer_by_token(channel, token)
