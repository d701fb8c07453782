"""Customers by the merchant's own id, as an operator's shell names them."""

from actions.connectors.port import merchant
from supportbot.accounts.models import Customer
from supportbot.errors import NotFound


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
