"""Customers: those with a verified identity, and anonymous visitors, who have a secret."""

import secrets
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from supportbot.accounts.identity import Identity
from supportbot.accounts.models import Channel, Customer, hash_secret
from supportbot.accounts.scope import workspace_scope


@dataclass(frozen=True, slots=True)
class NewVisitor:
    """An anonymous customer and the secret that identifies them on later visits."""

    customer: Customer
    secret: str


def customer_for_identity(channel: Channel, identity: Identity) -> Customer:
    """Return the customer of a verified identity, creating or updating them with its name, e-mail and locale."""
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
