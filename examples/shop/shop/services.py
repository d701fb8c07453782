"""The operations that change an order. Each key is decided once, by the first call, in one transaction with the ledger.
A transaction holds SQLite's write lock from the start (settings: IMMEDIATE), so two calls never decide at the same
time, and the primary key of `Operation` rules out the same key twice anyway. A refusal is a result too: it is stored
under its key and returned again, so a refund that was once too high does not silently succeed later.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TypeVar

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from shop import errors, selectors
from shop.commands import AddressCommand, CancelCommand, Command, RefundCommand
from shop.models import Change, Operation, Order, OrderStatus, Refund
from shop.money import to_text
from shop.reference import reference_of

C = TypeVar("C", bound=Command)
Json = dict[str, object]


@dataclass(frozen=True)
class Outcome:
    """The response to a command, and whether it is the first or a repetition."""

    status: int
    answer: Json
    is_replay: bool


def refund(command: RefundCommand) -> Outcome:
    """Refund part of an order; raises KeyReused if the key was used for something else."""
    return _once(command, _refund)


def change_address(command: AddressCommand) -> Outcome:
    """Change the address of an unshipped parcel; raises KeyReused."""
    return _once(command, _change_address)


def cancel(command: CancelCommand) -> Outcome:
    """Cancel an unshipped order and refund what was paid; raises KeyReused."""
    return _once(command, _cancel)


@transaction.atomic
def _once(command: C, work: Callable[[C, Order, Operation], Json]) -> Outcome:
    earlier = Operation.objects.filter(key=command.key).first()
    if earlier is not None:
        return _repeat(earlier, command)
    operation = _open(command)
    try:
        # The savepoint undoes what a refusal left behind; the row that says "refused" stays.
        with transaction.atomic():
            status, answer = 200, work(command, _order_of(command), operation)
    except errors.ShopError as refusal:
        status, answer = refusal.status, refusal.as_json()
    operation.status, operation.answer = status, answer
    operation.save(update_fields=["status", "answer"])
    return Outcome(status, answer, is_replay=False)


def _repeat(earlier: Operation, command: Command) -> Outcome:
    if earlier.digest != command.digest():
        raise errors.KeyReused("This key was used for another request.", fields={"key": ["Use a new key."]})
    return Outcome(earlier.status, earlier.answer, is_replay=True)


def _open(command: Command) -> Operation:
    return Operation.objects.create(
        key=command.key,
        kind=command.kind,
        order=command.order[:40],  # an order that does not exist may have an id of any length
        digest=command.digest(),
        status=500,  # never visible outside: the result is written before the commit
        answer={},
        decided_at=timezone.now(),
    )


def _order_of(command: Command) -> Order:
    order = selectors.find_order(command.order)
    if command.customer and order.customer_id != command.customer:
        raise selectors.no_such_order(command.order)
    return order


def _refund(command: RefundCommand, order: Order, operation: Operation) -> Json:
    if order.status == OrderStatus.CANCELLED:
        raise errors.OrderCancelled(f"{order.id} is cancelled; what was paid has already been paid back.")
    if command.currency != order.currency:
        raise errors.WrongCurrency(f"{order.id} was paid in {order.currency}.", fields={"currency": [order.currency]})
    if command.amount_cents > order.remaining_cents:
        left = f"{to_text(order.remaining_cents)} {order.currency}"
        raise errors.AmountTooHigh(
            f"Only {left} is left to refund on {order.id}.", fields={"amount": [f"At most {left}."]}
        )
    _mark_items(command, order)
    paid_back = _pay_back(order, command.amount_cents, operation, reason=command.reason)
    return {
        "refund": paid_back.reference,
        "order": order.id,
        "customer": order.customer_id,
        "amount": to_text(command.amount_cents),
        "currency": order.currency,
        "items": [asdict(item) for item in command.items],
        "reason": command.reason,
        "key": command.key,
        "payment": order.payment,
        "remaining": to_text(order.remaining_cents),
        "created_at": selectors.to_iso(paid_back.created_at),
    }


def _mark_items(command: RefundCommand, order: Order) -> None:
    lines = {line.sku: line for line in order.lines.all()}
    worth = 0
    for item in command.items:
        line = lines.get(item.sku)
        left = line.quantity - line.refunded_quantity if line else 0
        if line is None or item.quantity > left:
            raise errors.ItemsDoNotMatch(
                f"{order.id} has {left} x {item.sku} left to refund.", fields={"items": [f"{item.sku}: {left} left."]}
            )
        worth += line.price_cents * item.quantity
        line.refunded_quantity += item.quantity
        line.save(update_fields=["refunded_quantity"])
    if command.items and worth != command.amount_cents:
        raise errors.ItemsDoNotMatch(
            f"These items cost {to_text(worth)}, not {to_text(command.amount_cents)}.",
            fields={"amount": [f"The items cost {to_text(worth)}."]},
        )


def _pay_back(order: Order, cents: int, operation: Operation, *, reason: str) -> Refund:
    order.refunded_cents += cents
    order.save(update_fields=["refunded_cents"])
    if not order.remaining_cents:  # however it was requested, everything in it has been refunded
        order.lines.update(refunded_quantity=F("quantity"))
    return Refund.objects.create(
        operation=operation,
        order=order,
        reference=reference_of("RF", operation.key, order.pk),
        amount_cents=cents,
        reason=reason,
        created_at=operation.decided_at,
    )


def _change_address(command: AddressCommand, order: Order, operation: Operation) -> Json:
    _refuse_if_it_has_left(order, "its address can no longer be changed")
    before = selectors.address_json(order)
    # The recipient stays the same unless a different one is given.
    address = replace(command.address, name=command.address.name or order.address_name)
    if address.country != order.address_country:
        raise errors.OtherCountry(
            f"{order.id} can only go to an address in {order.address_country}.",
            fields={"country": [f"It must stay {order.address_country}."]},
        )
    for name, value in asdict(address).items():
        setattr(order, f"address_{name}", value)
    order.save(update_fields=[f"address_{name}" for name in asdict(address)])
    return _record_change(order, operation, before=before, after=selectors.address_json(order))


def _cancel(command: CancelCommand, order: Order, operation: Operation) -> Json:
    _refuse_if_it_has_left(order, "it can no longer be cancelled")
    before: Json = {"status": order.status}
    order.status = OrderStatus.CANCELLED
    order.save(update_fields=["status"])
    paid_back = order.remaining_cents
    if paid_back:
        _pay_back(order, paid_back, operation, reason=command.reason or "Order cancelled")
    after: Json = {"status": order.status, "paid_back": to_text(paid_back), "currency": order.currency}
    return _record_change(order, operation, before=before, after=after)


def _refuse_if_it_has_left(order: Order, consequence: str) -> None:
    if order.status == OrderStatus.CANCELLED:
        raise errors.OrderCancelled(f"{order.id} is cancelled.")
    if not order.is_before_shipping:
        raise errors.AlreadyShipped(f"{order.id} has left the warehouse; {consequence}.")


def _record_change(order: Order, operation: Operation, *, before: Json, after: Json) -> Json:
    change = Change.objects.create(
        operation=operation,
        order=order,
        kind=operation.kind,
        before=before,
        after=after,
        created_at=operation.decided_at,
    )
    return selectors.change_json(change)
