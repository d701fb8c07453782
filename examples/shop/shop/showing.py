"""One order as its page shows it. Pure: turns an order with its lines and a time into text and numbers."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from shop.catalogue import translated_name
from shop.models import Order, OrderLine, OrderStatus
from shop.selectors import DELIVERY
from shop.showcase import Exhibit, exhibit_of

RETURN_DAYS = 60

_STATUS = {
    OrderStatus.PAID: (_("Paid, not packed yet"), "box", "accent"),
    OrderStatus.PACKED: (_("Packed"), "box", "accent"),
    OrderStatus.SHIPPED: (_("On its way"), "truck", "info"),
    OrderStatus.DELIVERED: (_("Delivered"), "check", "ok"),
    OrderStatus.CANCELLED: (_("Cancelled"), "close", ""),
    OrderStatus.RETURNED: (_("Returned"), "undo", ""),
}


@dataclass(frozen=True)
class Step:
    """One step of a parcel's journey, done or still to come. `day` is None if the date is unknown."""

    words: str | Promise
    day: date | None
    is_done: bool


@dataclass(frozen=True)
class LineCard:
    line: OrderLine
    exhibit: Exhibit
    variant: str

    @property
    def cents(self) -> int:
        return self.line.price_cents * self.line.quantity

    @property
    def refunded_cents(self) -> int:
        return self.line.price_cents * self.line.refunded_quantity

    @property
    def is_refunded(self) -> bool:
        return self.line.refunded_quantity == self.line.quantity


@dataclass(frozen=True)
class OrderCard:
    order: Order
    status: str | Promise
    icon: str
    tone: str
    lines: tuple[LineCard, ...]
    steps: tuple[Step, ...]
    days_left: int | None  # for returning it; None for items that have not arrived yet or have already been returned

    @property
    def can_be_returned(self) -> bool:
        return bool(self.days_left) and self.order.remaining_cents > 0

    @property
    def return_ends(self) -> date | None:
        return (self.order.delivered_at + timedelta(days=RETURN_DAYS)).date() if self.order.delivered_at else None


def card_of(order: Order, now: datetime) -> OrderCard:
    words, icon, tone = _STATUS[OrderStatus(order.status)]
    return OrderCard(
        order=order,
        status=words,
        icon=icon,
        tone=tone,
        lines=tuple(_line(line) for line in order.lines.all()),
        steps=_steps(order) if order.is_on_its_way else (),
        days_left=_days_left(order, now),
    )


def _line(line: OrderLine) -> LineCard:
    return LineCard(line, exhibit_of(line.sku), variant=translated_name(line.name).partition(", ")[2])


def _steps(order: Order) -> tuple[Step, ...]:
    is_packed, has_left = order.status != OrderStatus.PAID, order.status == OrderStatus.SHIPPED
    left_on = order.shipped_at.date() if order.shipped_at else None
    return (
        Step(_("Ordered"), order.placed_at.date(), is_done=True),
        Step(_("Packed"), None, is_done=is_packed),
        Step(_("On its way"), left_on, is_done=has_left),
        Step(_("At your door"), (order.placed_at + DELIVERY).date(), is_done=False),
    )


def _days_left(order: Order, now: datetime) -> int | None:
    if order.status != OrderStatus.DELIVERED or order.delivered_at is None:
        return None
    return max(0, RETURN_DAYS - (now - order.delivered_at).days)
