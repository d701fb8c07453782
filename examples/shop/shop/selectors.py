"""The shop's data as JSON responses."""

from datetime import UTC, datetime, timedelta

from django.db.models import QuerySet

from shop.catalogue import translated_name
from shop.environment import environment
from shop.errors import NotFound
from shop.models import Change, Customer, Operation, Order, OrderLine, Refund
from shop.money import to_text
from shop.showcase import exhibit_of

Json = dict[str, object]
DELIVERY = timedelta(days=5)


def find_order(order_id: str) -> Order:
    """Return an order with its lines; raises NotFound."""
    order = Order.objects.filter(pk=order_id).prefetch_related("lines").first()
    if order is None:
        raise no_such_order(order_id)
    return order


def no_such_order(order_id: str) -> NotFound:
    """The same error for an order that does not exist and for someone else's."""
    return NotFound(f"There is no order {order_id[:40]}.")


def find_customer(customer_id: str) -> Customer:
    """Return a customer; raises NotFound."""
    customer = Customer.objects.filter(pk=customer_id).first()
    if customer is None:
        raise NotFound(f"There is no customer {customer_id[:40]}.")
    return customer


def customers() -> list[Json]:
    """Return all customers by id; the story's people come first."""
    return [customer_json(customer) for customer in Customer.objects.order_by("id")]


def orders_of(customer: Customer) -> list[Json]:
    """Return a customer's orders, the newest first."""
    return [order_json(order) for order in orders_with_lines(customer)]


def orders_with_lines(customer: Customer) -> QuerySet[Order]:
    return Order.objects.filter(customer=customer).order_by("-placed_at").prefetch_related("lines")


def find_operation(key: str) -> Json:
    """Return the result of an idempotency key; raises NotFound if the shop has never seen it."""
    operation = Operation.objects.filter(key=key).first()
    if operation is None:
        raise NotFound("The shop has never seen this key.")
    return {
        "key": operation.key,
        "kind": operation.kind,
        "order": operation.order,
        "state": "done" if operation.is_done else "refused",
        "status": operation.status,
        "result": operation.answer,
        "decided_at": to_iso(operation.decided_at),
    }


def ledger() -> Json:
    """Return all refunds and changes since the seed, in chronological order."""
    return {
        "refunds": [refund_json(refund) for refund in Refund.objects.select_related("order").order_by("id")],
        "changes": [change_json(change) for change in Change.objects.order_by("id")],
    }


def refunds_newest_first() -> QuerySet[Refund]:
    return Refund.objects.select_related("order").order_by("-id")


def changes_newest_first() -> QuerySet[Change]:
    return Change.objects.order_by("-id")


def customer_json(customer: Customer) -> Json:
    return {"id": customer.id, "name": customer.name, "email": customer.email, "locale": customer.locale}


def order_json(order: Order) -> Json:
    dates = {"shipped_at": order.shipped_at, "delivered_at": order.delivered_at}
    expected = {"expected_on": (order.placed_at + DELIVERY).date().isoformat()} if order.is_on_its_way else {}
    return {
        "id": order.id,
        "customer": order.customer_id,
        "status": order.status,
        "total": to_text(order.total_cents),
        "currency": order.currency,
        "refunded": to_text(order.refunded_cents),
        "placed_at": to_iso(order.placed_at),
        **{name: to_iso(moment) for name, moment in dates.items() if moment is not None},
        **expected,
        "items": [line_json(line) for line in order.lines.all()],
        "address": address_json(order),
        "payment": order.payment,
        **_on_our_pages(order),
    }


def _on_our_pages(order: Order) -> Json:
    """Return the order's page and a picture of its first item."""
    here, first = f"http://127.0.0.1:{environment().port}", next(iter(order.lines.all()), None)
    picture = {"picture": f"{here}/pictures/{exhibit_of(first.sku).drawing}.svg"} if first else {}
    return {"page": f"{here}/orders#{order.id}", **picture}


def line_json(line: OrderLine) -> Json:
    return {
        "sku": line.sku,
        "name": translated_name(line.name),
        "quantity": line.quantity,
        "price": to_text(line.price_cents),
        "refunded": to_text(line.price_cents * line.refunded_quantity),
    }


def address_json(order: Order) -> Json:
    return {
        "name": order.address_name,
        "line1": order.address_line1,
        "line2": order.address_line2,
        "postal_code": order.address_postal_code,
        "city": order.address_city,
        "country": order.address_country,
    }


def refund_json(refund: Refund) -> Json:
    return {
        "reference": refund.reference,
        "order": refund.order_id,
        "amount": to_text(refund.amount_cents),
        "currency": refund.order.currency,
        "reason": refund.reason,
        "key": refund.operation_id,
        "created_at": to_iso(refund.created_at),
    }


def change_json(change: Change) -> Json:
    return {
        "reference": change.reference,
        "order": change.order_id,
        "kind": change.kind,
        "before": change.before,
        "after": change.after,
        "key": change.operation_id,
        "created_at": to_iso(change.created_at),
    }


def to_iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
