"""Refund a delivered order: everything not refunded yet, some of its items, or an amount."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext_noop

from actions.argument_types import Amount, Count, Listing, OrderId, Shape, Text
from actions.catalogue import texts_of
from actions.errors import InvalidArguments
from actions.facts import Arguments, Facts, Order
from actions.money import Money, currency_decimals, format_amount, is_amount_in
from actions.order_actions import OrderAction
from actions.reasons import Reason
from actions.spec import Call, Card, Limits, Risk, Row, Terms, formatted_amount, money_of, short
from supportbot.translation import msgid, ptext_in, text_in

_MAX_NAMED = 12  # items on a card; the amount covers all of them

_ITEM = Shape(
    required={
        "sku": Text(
            gettext_noop("The item's SKU, as listed in the order."),
            40,
            pattern=r"[A-Za-z0-9._-]{1,40}",
            example="TENT-2",
        )
    },
    optional={"quantity": Count(gettext_noop("The number of units; 1 if left out."))},
)


class RefundOrder(OrderAction):
    name = "refund_order"
    risk = Risk.MONEY
    arguments = Shape(
        required={"order_id": OrderId(), "reason": Text(gettext_noop("The reason, in the customer's words."), 200)},
        optional={
            "items": Listing("Only these items, instead of the whole order.", _ITEM),
            "amount": Amount(
                gettext_noop("The amount to refund instead of the whole order, in the order's currency, such as 12.50.")
            ),
        },
        exclusive=("items", "amount"),
    )
    from_chat = frozenset({"reason"})
    title = msgid("Refund an order")
    done = msgid("Refund issued")
    description, examples = texts_of(name)
    limits = Limits(
        max_per_customer_year=Decimal(400),
        max_per_workspace_day=Decimal(2000),
        approval_above=Decimal(150),
        window_days=60,
    )

    def terms(self, entered: Arguments, order: Order) -> Terms | Reason:
        if order.remaining.amount <= 0 and order.status != "cancelled":  # a card for "Refund €0.00" would make no sense
            return _nothing_left(order)
        if "items" in entered:
            money = _price(entered["items"], order)
        elif "amount" in entered:
            money = _requested_amount(entered["amount"], order.currency)
        else:
            money = order.remaining
        if isinstance(money, Reason):
            return money
        items = [{"sku": sku, "quantity": count} for sku, count in _quantities(entered.get("items", ())).items()]
        arguments = {
            "order_id": order.id,
            "amount": format_amount(money.amount, money.currency),
            "currency": money.currency,
            "reason": entered["reason"],
            **({"items": items} if items else {}),
        }
        return Terms(arguments, money, {"payment": order.payment, "items": _named(items, order)})

    def state_obstacle(self, order: Order) -> Reason | None:
        about = {"order": order.id}
        if order.status == "cancelled":
            return Reason("order_cancelled", about)
        if order.remaining.amount <= 0:
            return _nothing_left(order)
        if order.status == "returned":
            return Reason("order_returned", about)
        if order.status != "delivered" or order.delivered_at is None:
            return Reason("not_delivered", about)
        return None

    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        order, about = facts.order, {"order": facts.order.id}
        if (obstacle := self.state_obstacle(order)) is not None:
            return obstacle
        days = (facts.now - order.delivered_at).days if order.delivered_at else 0
        if facts.window_days is not None and days >= facts.window_days:
            return Reason("outside_window", {**about, "days": str(facts.window_days)})
        if "items" in arguments and isinstance(price := _price(arguments["items"], order), Reason):
            return price
        left = Money(order.remaining.amount - facts.pending, order.currency)
        if money_of(arguments).amount > left.amount or arguments["currency"] != order.currency:
            most = format_amount(max(left.amount, Decimal(0)), left.currency)
            about = {**about, "left": most, "currency": left.currency}
            if not facts.pending:
                return Reason("amount_above_remaining", about)
            code = "refund_requested" if left.amount <= 0 else "amount_above_unrequested"
            return Reason(code, {**about, "pending": format_amount(facts.pending, left.currency)})
        return None

    def call(self, arguments: Arguments, customer: str) -> Call:
        wanted = {name: arguments[name] for name in ("amount", "currency", "items", "reason") if name in arguments}
        return Call("refund", arguments["order_id"], customer, wanted)

    def card(self, arguments: Arguments, shown: Mapping[str, Any], locale: str) -> Card:
        amount, order = formatted_amount(arguments, locale), arguments["order_id"]
        title = text_in(locale, "Refund {amount}", amount=amount)
        rows = [
            Row(ptext_in(locale, "what a refund is for", "For"), shown.get("items", "")),
            Row(text_in(locale, "Order"), order),
            Row(text_in(locale, "Reason"), arguments["reason"]),
            Row(ptext_in(locale, "where money goes", "To"), shown.get("payment", "")),
        ]
        return Card(
            title=title,
            summary=text_in(locale, "Refund {amount} for order {order}.", amount=amount, order=order),
            button=title,
            rows=tuple(row for row in rows if row.value),
            done=text_in(locale, "We refunded {amount} for order {order}.", amount=amount, order=order),
        )

    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "order": arguments["order_id"],
            "amount": arguments["amount"],
            "currency": arguments["currency"],
            "to": short(result.get("payment")),
            "reference": short(result.get("refund")),
        }


def _nothing_left(order: Order) -> Reason:
    return Reason("already_refunded" if order.total > 0 else "order_cost_nothing", {"order": order.id})


def _requested_amount(text: str, currency: str) -> Money:
    if not is_amount_in(text, currency):
        decimals = currency_decimals(currency)
        most = f"at most {decimals}" if decimals else "no"
        raise InvalidArguments(fields={"amount": [f"The order is in {currency}, which has {most} decimals."]})
    return Money(Decimal(text), currency)


def _price(items: Sequence[Mapping[str, Any]], order: Order) -> Money | Reason:
    """Return what these items cost, or why they cannot be refunded."""
    price = Decimal(0)
    for sku, quantity in _quantities(items).items():
        line = order.line(sku)
        if line is None or line.price * quantity > line.price * line.quantity - line.refunded:
            return Reason("item_not_in_order", {"order": order.id, "sku": sku})
        price += line.price * quantity
    if price <= 0:
        return Reason("items_cost_nothing", {"order": order.id})
    return Money(price, order.currency)


def _quantities(items: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the quantity of each SKU, adding up SKUs that are listed twice."""
    counted: dict[str, int] = {}
    for item in items:
        counted[item["sku"]] = counted.get(item["sku"], 0) + int(item.get("quantity", 1))
    return counted


def _named(items: list[dict[str, Any]], order: Order) -> str:
    chosen = {item["sku"]: item["quantity"] for item in items} or {line.sku: line.quantity for line in order.lines}
    named = [(line.name, chosen[line.sku]) for line in order.lines if line.sku in chosen]
    listed = ", ".join(name if count == 1 else f"{count} × {name}" for name, count in named[:_MAX_NAMED])
    return listed if len(named) <= _MAX_NAMED else f"{listed}, … (+{len(named) - _MAX_NAMED})"


ACTION = RefundOrder()
