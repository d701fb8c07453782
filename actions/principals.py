"""Who requests an action, and for which customer. This comes from a signed identity, a desk login or an operator's
shell, never from arguments.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext

from actions.audit import actor_of
from actions.definitions.models import ActionDefinition
from actions.errors import NotSignedIn
from actions.facts import Identity
from actions.merchant_api.port import merchant
from supportbot.accounts.models import Customer, User
from supportbot.accounts.principals import CustomerCaller
from supportbot.errors import NotFound


@dataclass(frozen=True, slots=True)
class Principal:
    """A customer, with everything known about them. `expires_at` is when their proof of identity expires; without it,
    the proof never counts as fresh.
    """

    workspace_id: UUID
    customer_id: UUID
    external_id: str | None  # the merchant's own id; a visitor has none
    is_verified: bool
    email: str = ""  # as the merchant's server signed it
    locale: str = "en"
    expires_at: datetime | None = None
    operator: str = ""  # an operator who acts for the customer from this machine's shell
    colleague: str = ""  # a team member who makes proposals to the customer, as named in records; cannot confirm
    agent: str = ""  # a program that looks up and proposes with the customer's token, under the name of its key

    @property
    def actor(self) -> str:
        """The name in records, free of personal data."""
        if self.operator:
            return f"operator:{self.operator}"
        return self.colleague or self.agent or f"customer:{self.customer_id}"

    def merchant_id(self) -> str:
        """Return the id that the merchant uses for a verified customer; raises NotSignedIn for everyone else."""
        if not self.is_verified or self.external_id is None:
            raise NotSignedIn("I can only do this for customers who are signed in.")
        return self.external_id

    def identity(self) -> Identity:
        """Return the signed identity of a verified customer; raises NotSignedIn for everyone else."""
        return Identity(self.merchant_id(), self.email, self.locale)

    def is_fresh(self, moment: datetime) -> bool:
        """Return whether the proof of identity is fresh enough to confirm now."""
        if self.agent:  # a program's token proves who the customer is, not that they have seen the card
            return False
        return bool(self.operator) or (self.is_verified and self.expires_at is not None and self.expires_at > moment)


def principal_of(caller: CustomerCaller) -> Principal:
    """Return the principal for an API caller, with the expiry of their proof of identity."""
    customer = Customer.objects.get(pk=caller.customer_id)
    return Principal(
        workspace_id=caller.workspace_id,
        customer_id=customer.pk,
        external_id=customer.external_id,
        is_verified=caller.is_verified,
        email=customer.email,
        locale=customer.locale or "en",
        expires_at=caller.expires_at,
    )


def principal_in_conversation(customer: Customer, *, locale: str = "") -> Principal:
    """Return the principal for a conversation's customer: enough to look up and propose, never to confirm."""
    return Principal(
        workspace_id=customer.workspace_pk,
        customer_id=customer.pk,
        external_id=customer.external_id,
        is_verified=customer.external_id is not None,
        email=customer.email,
        locale=locale or customer.locale or "en",
    )


def proposed_by(colleague: User, customer: Customer, *, locale: str) -> Principal:
    """Return the principal for a proposal by a team member; every record names the colleague."""
    return replace(principal_in_conversation(customer, locale=locale), colleague=actor_of(colleague))


def asked_by(agent: str, caller: CustomerCaller) -> Principal:
    """Return the principal for a program that acts with a customer's token: it may look up and propose, never confirm.

    Records show `agent`, the name of the program's key.
    """
    return replace(principal_of(caller), agent=agent)


def operator_for(customer: Customer, operator: str) -> Principal:
    """Return the principal for an operator who acts for a customer; every record names the operator."""
    return Principal(
        workspace_id=customer.workspace_pk,
        customer_id=customer.pk,
        external_id=customer.external_id,
        is_verified=customer.external_id is not None,
        email=customer.email,
        locale=customer.locale or "en",
        operator=operator,
    )


def find_customer(merchant_id: str) -> Customer:
    """Return the customer with this merchant id. A customer who has never chatted is found through their orders, and is
    returned unsaved. In a workspace with defined actions, any id is accepted, because the connected systems cannot be
    asked which customers exist; a wrong id owns no records. In any other workspace, raises NotFound for an id that
    neither the workspace nor its shop knows.
    """
    is_plain = merchant_id.isprintable() and bool(merchant_id.strip())
    known = Customer.objects.filter(external_id=merchant_id).first() if is_plain else None
    if known is not None:
        return known
    if not is_plain or not (_has_other_systems() or merchant().orders_of(merchant_id)):
        raise NotFound(
            gettext("Neither this workspace nor its shop knows a customer “{customer}”.").format(
                customer=repr(merchant_id)[1:-1]  # without control characters
            )
        )
    return Customer(external_id=merchant_id)


def _has_other_systems() -> bool:
    return ActionDefinition.objects.filter(state=ActionDefinition.State.PUBLISHED).exists()


def stored(customer: Customer) -> Customer:
    """Return the customer's row, creating it if necessary."""
    row, _ = Customer.objects.get_or_create(external_id=customer.external_id, defaults={"locale": customer.locale})
    return row
