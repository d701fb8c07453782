"""The shop's seed: the same people, orders and amounts every time, with dates relative to the day of seeding. Order
numbers increase with time: about two a day, with a rush in the last two and a half days. The story's orders are written
out; all others are derived from their number.
"""

import random
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.db import transaction
from django.utils import timezone

from shop.catalogue import PRODUCTS
from shop.models import Change, Customer, Operation, Order, OrderLine, OrderStatus, Refund
from shop.people import Person, customer_id, customer_of, people

FIRST_NUMBER, LAST_NUMBER = 20121, 20471
# Orders up to this number (that of the tent in the story, ordered three days ago) are spread evenly; later orders are
# the rush.
LAST_QUIET_NUMBER = 20431
TO_SHIP, TO_DELIVER = timedelta(days=2, hours=10), timedelta(days=4)
# These people own the orders written out here and no others.
STORY_PEOPLE = 7


@dataclass(frozen=True)
class Story:
    person: int
    status: OrderStatus
    items: tuple[tuple[str, str], ...]


STORY = {
    20418: Story(0, OrderStatus.DELIVERED, (("CAIRN", "41"), ("ALDER", "M"))),  # boots too tight, shirt damaged
    20431: Story(0, OrderStatus.SHIPPED, (("KESTREL2", "amber"),)),  # "Where is my tent?"
    20262: Story(0, OrderStatus.DELIVERED, (("EMBER", ""),)),  # three months old: too late to return
    20380: Story(2, OrderStatus.DELIVERED, (("TARN45", ""),)),  # does it pass as cabin baggage?
    20361: Story(5, OrderStatus.DELIVERED, (("EMBER", ""), ("SKARN", "M"))),  # an invoice with the company's name
    20425: Story(6, OrderStatus.DELIVERED, (("SKARN", "S"),)),  # the refund with an unknown outcome
    # One small delivered order without requests for each of the first ten.
    20404: Story(0, OrderStatus.DELIVERED, (("PEBBLE", ""),)),
    20406: Story(1, OrderStatus.DELIVERED, (("LICHEN", ""),)),  # "delivered", but not there
    20408: Story(2, OrderStatus.DELIVERED, (("ALDER", "S"),)),
    20410: Story(3, OrderStatus.DELIVERED, (("LICHEN", ""),)),  # a broken pole
    20412: Story(4, OrderStatus.DELIVERED, (("PEBBLE", ""),)),
    20414: Story(5, OrderStatus.DELIVERED, (("ALDER", "M"),)),
    20416: Story(6, OrderStatus.DELIVERED, (("ALDER", "L"),)),
    20419: Story(7, OrderStatus.DELIVERED, (("LICHEN", ""),)),
    20421: Story(8, OrderStatus.DELIVERED, (("PEBBLE", ""),)),
    20423: Story(9, OrderStatus.DELIVERED, (("ALDER", "XL"),)),
    # Parcels not shipped yet, so their address can be changed.
    20440: Story(4, OrderStatus.PACKED, (("EMBER", ""),)),
    20444: Story(1, OrderStatus.PAID, (("SKARN", "L"), ("ALDER", "L"))),
    20452: Story(3, OrderStatus.PAID, (("CAIRN", "43"),)),
}


def seed_if_empty() -> None:
    """Fill a new database; a later start keeps its data."""
    with transaction.atomic():
        if not Customer.objects.exists():
            _fill(timezone.now())


@transaction.atomic
def reset_to_seed() -> None:
    """Delete everything and seed again from today."""
    for model in (Refund, Change, Operation, OrderLine, Order, Customer):
        model.objects.all().delete()
    _fill(timezone.now())


def _fill(now: datetime) -> None:
    midnight = datetime.combine(now.date(), time(), tzinfo=UTC)
    everybody = people()
    Customer.objects.bulk_create([customer_of(number, person) for number, person in enumerate(everybody)])
    written = [_write_order(number, midnight, everybody) for number in range(FIRST_NUMBER, LAST_NUMBER + 1)]
    Order.objects.bulk_create([order for order, _ in written])
    OrderLine.objects.bulk_create([line for _, lines in written for line in lines])


def _write_order(number: int, midnight: datetime, everybody: list[Person]) -> tuple[Order, list[OrderLine]]:
    chance = random.Random(number)  # separate per order, so that changing one does not affect others
    story = STORY.get(number) or _invent(number, chance, len(everybody))
    person = everybody[story.person]
    order = _order(number, story, person, midnight)
    lines = [_line(order, sku, variant, person.currency) for sku, variant in story.items]
    _give_back(order, lines, chance, is_story=number in STORY)
    order.total_cents = sum(line.price_cents * line.quantity for line in lines)
    order.refunded_cents = sum(line.price_cents * line.refunded_quantity for line in lines)
    return order, lines


def _order(number: int, story: Story, person: Person, midnight: datetime) -> Order:
    placed_at = midnight - timedelta(days=_age_in_days(number))
    has_left = story.status in {OrderStatus.SHIPPED, OrderStatus.DELIVERED, OrderStatus.RETURNED}
    return Order(
        id=f"WF-{number}",
        customer_id=customer_id(story.person),
        status=story.status,
        currency=person.currency,
        payment=person.payment,
        placed_at=placed_at,
        shipped_at=placed_at + TO_SHIP if has_left else None,
        delivered_at=placed_at + TO_DELIVER if has_left and story.status != OrderStatus.SHIPPED else None,
        address_name=person.name,
        address_line1=person.line1,
        address_line2="",
        address_postal_code=person.postal_code,
        address_city=person.city,
        address_country=person.country,
    )


def _age_in_days(number: int) -> float:
    """Return how many days before last midnight an order was placed; by date, 20418 and 20431 are ten and three days
    old.
    """
    if number > LAST_QUIET_NUMBER:
        return 2.5 * (LAST_NUMBER + 1 - number) / (LAST_NUMBER + 1 - LAST_QUIET_NUMBER)
    return 2.6 + (LAST_QUIET_NUMBER - number) * 7 / 13


def _invent(number: int, chance: random.Random, population: int) -> Story:
    person = chance.randrange(STORY_PEOPLE, population)
    skus = chance.sample(list(PRODUCTS), k=chance.choice((1, 1, 2, 3)))
    items = tuple((sku, chance.choice(PRODUCTS[sku].variants or ("",))) for sku in skus)
    return Story(person, _status(number, chance), items)


def _status(number: int, chance: random.Random) -> OrderStatus:
    age_in_days = _age_in_days(number)
    if age_in_days < 2.5:
        return chance.choice((OrderStatus.PAID, OrderStatus.PAID, OrderStatus.PACKED, OrderStatus.CANCELLED))
    if age_in_days < TO_DELIVER.days + 1:
        return OrderStatus.SHIPPED
    return chance.choices(
        (OrderStatus.DELIVERED, OrderStatus.RETURNED, OrderStatus.CANCELLED), weights=(80, 12, 8), k=1
    )[0]


def _line(order: Order, sku: str, variant: str, currency: str) -> OrderLine:
    product = PRODUCTS[sku]
    line_sku, name = product.line(variant)
    return OrderLine(
        order=order, sku=line_sku, name=name, quantity=1, price_cents=product.price_cents(currency), refunded_quantity=0
    )


def _give_back(order: Order, lines: list[OrderLine], chance: random.Random, *, is_story: bool) -> None:
    """Refund returned and cancelled orders in full, and one item of some delivered ones."""
    if order.status in {OrderStatus.RETURNED, OrderStatus.CANCELLED}:
        paid_back = lines
    elif order.status == OrderStatus.DELIVERED and not is_story and len(lines) > 1 and chance.random() < 1 / 8:
        paid_back = lines[:1]
    else:
        paid_back = []
    for line in paid_back:
        line.refunded_quantity = line.quantity
