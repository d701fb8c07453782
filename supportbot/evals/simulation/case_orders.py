"""The orders of a case's customer. For this case, they replace those of the shop, so that its result depends neither on
later changes to the shop's orders nor on the date. Pure, apart from the clock.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from decimal import Decimal, DecimalException
from typing import Any, Final

from django.utils.timezone import now
from django.utils.translation import gettext

from actions.facts import Order
from actions.merchant_api.order_parsing import InvalidOrder, parse_order
from actions.simulated_backend import use_sample_orders
from supportbot.evals.errors import InvalidSuite
from supportbot.evals.suite_formats.document_values import flag_of, mapping_of, number_of, only, placed, text_of

DATES: Final = {"placed_days_ago": "placed_at", "shipped_days_ago": "shipped_at", "delivered_days_ago": "delivered_at"}
ORDER_KEYS: Final = frozenset({"id", "status", "currency", "items", "of_another", *DATES})
STATES: Final = ("paid", "packed", "shipped", "delivered", "cancelled", "returned")
ITEM_KEYS: Final = frozenset({"sku", "name", "price", "quantity", "refunded"})
MAX_ORDERS: Final = 20
MAX_DAYS: Final = 3650
_ADDRESS: Final = {
    "name": "Sample Customer", "line1": "Sample Street 1", "line2": "", "postal_code": "10115", "city": "Berlin",
    "country": "DE",
}  # fmt: skip
_PAYMENT: Final = "Visa •••• 4242"
Document = Mapping[str, Any]


def orders_in(value: Any, where: str) -> tuple[Document, ...]:
    """Return the orders in a case's document, unchanged. Raises InvalidSuite."""
    here = placed(where, "orders")
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_ORDERS:
        raise _invalid(here)
    for row in value:
        _check(row, here)
    return tuple(value)


def _check(row: Any, where: str) -> None:
    found = mapping_of(row, where)
    only(found, ORDER_KEYS, where)
    flag_of(found, "of_another", where)
    if not isinstance(found.get("items"), list) or found.get("status") not in STATES:
        raise _invalid(where)
    for name in DATES:
        if name in found:
            number_of(found, name, where, least=0, most=MAX_DAYS, default=1)
    for item in found["items"]:
        only(mapping_of(item, where), ITEM_KEYS, where)
    try:
        order = _order(found, customer="", moment=now(), where=where)
    except (InvalidOrder, KeyError, TypeError, DecimalException) as error:
        raise _invalid(where) from error
    if not order.lines:
        raise _invalid(where)


def _invalid(where: str) -> InvalidSuite:
    problem = gettext(
        "`orders` must be a list of at most {most} orders, each with `id`, `status` ({states}), `currency`, "
        "`placed_days_ago` and a list of `items` (`sku`, `name`, `price`)."
    )
    return InvalidSuite(placed(where, problem.format(most=MAX_ORDERS, states=", ".join(STATES))))


def ordered(documents: Sequence[Document], customer: str) -> AbstractContextManager[None]:
    """Inside this block, the shop has the orders of a case; if the case has none, the shop keeps its own."""
    if not documents:
        return nullcontext()
    moment = now()
    return use_sample_orders([_order(one, customer=customer, moment=moment) for one in documents])


def _order(document: Document, *, customer: str, moment: datetime, where: str = "") -> Order:
    """Return an order as the shop would have sent it. Raises InvalidOrder, KeyError, TypeError, DecimalException."""
    items = [_item(item, where) for item in document["items"]]
    total = sum((Decimal(item["price"]) * item["quantity"] for item in items), Decimal(0))
    refunded = sum((Decimal(item["refunded"]) for item in items), Decimal(0))
    dates = {key: moment - timedelta(days=document[name]) for name, key in DATES.items() if name in document}
    return parse_order(
        {
            "id": text_of(document, "id", where),
            "customer": f"not {customer}" if document.get("of_another") else customer,
            "status": document["status"],
            "currency": document["currency"],
            "total": str(total),
            "refunded": str(refunded),
            **{key: date.isoformat() for key, date in dates.items()},
            "items": items,
            "address": _ADDRESS,
            "payment": _PAYMENT,
        }
    )


def _item(item: Document, where: str) -> dict[str, Any]:
    return {
        "sku": text_of(item, "sku", where),
        "name": text_of(item, "name", where),
        "quantity": item.get("quantity", 1),
        "price": str(item["price"]),
        "refunded": str(item.get("refunded", 0)),
    }
