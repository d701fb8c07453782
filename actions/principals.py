"""For whom an action is asked, and by whom. It comes from a signed identity, from the desk's log-in or from an
operator's shell, never from arguments."""

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from actions.connectors.port import merchant
from actions.errors import NotSignedIn
from actions.models import name_of
from supportbot.accounts.callers import CustomerCaller
from supportbot.accounts.models import Customer, User
from supportbot.errors import NotFound


@dataclass(frozen=True, slots=True)
class Principal:
    """A customer, as far as they are known. `expires_at` is the end of the proof; without one it is not fresh."""

    workspace_id: UUID
    customer_id: UUID
    external_id: str | None  # the merchant's own id; a visitor has none
    is_verified: bool
    locale: str = "en"
    expires_at: datetime | None = None
    operator: str = ""  # who acts in the customer's place, from the shell of this machine
    colleague: str = ""  # who of the team asks the customer, as they stand in records; confirms nothing

    @property
    def actor(self) -> str:
        """Name in records, free of personal data."""
        if self.operator:
            return f"operator:{self.operator}"
        return self.colleague or f"customer:{self.customer_id}"

    def merchant_id(self) -> str:
        """Return the merchant's id of a verified customer; raises NotSignedIn for everybody else."""
        if not self.is_verified or self.external_id is None:
            raise NotSignedIn("I can only do this for customers who are signed in.")
        return self.external_id

    def is_fresh(self, moment: datetime) -> bool:
        """Say whether the proof is good enough to confirm with, at this moment."""
        return bool(self.operator) or (self.is_verified and self.expires_at is not None and self.expires_at > moment)


def principal_of(caller: CustomerCaller) -> Principal:
    """Return the principal of a caller, with the end of their proof."""
    customer = Customer.objects.get(pk=caller.customer_id)
    return Principal(
        workspace_id=caller.workspace_id,
        customer_id=customer.pk,
        external_id=customer.external_id,
        is_verified=caller.is_verified,
        locale=customer.locale or "en",
        expires_at=caller.expires_at,
    )


def principal_in_conversation(customer: Customer, *, locale: str = "") -> Principal:
    """Return a customer as a conversation knows them: enough to look up and to propose, never to confirm."""
    return Principal(
        workspace_id=customer.workspace_pk,
        customer_id=customer.pk,
        external_id=customer.external_id,
        is_verified=customer.external_id is not None,
        locale=locale or customer.locale or "en",
    )


def proposed_by(colleague: User, customer: Customer, *, locale: str) -> Principal:
    """Return a customer whom somebody of the team asks to confirm; every record names the colleague."""
    return replace(principal_in_conversation(customer, locale=locale), colleague=name_of(colleague))


def operator_for(customer: Customer, operator: str) -> Principal:
    """Return a customer in whose place an operator acts; every record names the operator."""
    return Principal(
        workspace_id=customer.workspace_pk,
        customer_id=customer.pk,
        external_id=customer.external_id,
        is_verified=customer.external_id is not None,
        locale=customer.locale or "en",
        operator=operator,
    )


def customer_known_as(merchant_id: str) -> Customer:
    """Return the customer of the merchant's id; one who has never chatted is known by their orders, and not stored yet.

    Raises NotFound for an id that neither the workspace nor its shop knows.
    """
    is_plain = merchant_id.isprintable() and bool(merchant_id.strip())
    known = Customer.objects.filter(external_id=merchant_id).first() if is_plain else None
    if known is not None:
        return known
    if not is_plain or not merchant().orders_of(merchant_id):
        raise NotFound(f"Neither this workspace nor its shop knows a customer {merchant_id!r} with an order.")
    return Customer(external_id=merchant_id)


def stored(customer: Customer) -> Customer:
    """Return the row of a customer, made now if there was none."""
    row, _ = Customer.objects.get_or_create(external_id=customer.external_id, defaults={"locale": customer.locale})
    return row
