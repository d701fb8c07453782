"""Cancel an order that has not shipped yet, and refund what was paid."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_noop

from actions.argument_types import OrderId, Shape, Text
from actions.catalogue import texts_of
from actions.facts import Arguments, Facts, Order
from actions.money import format_amount
from actions.order_actions import OrderAction, obstacle_before_shipping
from actions.reasons import Reason
from actions.spec import Call, Card, Limits, Risk, Row, Terms, formatted_amount, money_of, short
from supportbot.translation import msgid, ptext_in, text_in


class CancelOrder(OrderAction):
    name = "cancel_order"
    risk = Risk.MONEY
    arguments = Shape(
        required={"order_id": OrderId()},
        optional={"reason": Text(gettext_noop("The reason, in the customer's words."), 200)},
    )
    title = msgid("Cancel an order")
    done = msgid("Order cancelled")
    description, examples = texts_of(name)
    limits = Limits(max_requests_per_customer_day=5)

    def terms(self, entered: Arguments, order: Order) -> Terms | Reason:
        money = order.remaining
        arguments = {
            **entered,
            "order_id": order.id,
            "amount": format_amount(money.amount, money.currency),
            "currency": money.currency,
        }
        return Terms(arguments, money, {"payment": order.payment})

    def state_obstacle(self, order: Order) -> Reason | None:
        return obstacle_before_shipping(order)

    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        order = facts.order
        if money_of(arguments) != order.remaining:
            return self.state_obstacle(order) or Reason("terms_changed", {"order": order.id})
        return self.state_obstacle(order)

    def call(self, arguments: Arguments, customer: str) -> Call:
        wanted = {"reason": arguments["reason"]} if "reason" in arguments else {}
        return Call("cancel", arguments["order_id"], customer, wanted)

    def card(self, arguments: Arguments, shown: Mapping[str, Any], locale: str) -> Card:
        order, amount = arguments["order_id"], formatted_amount(arguments, locale)
        if money_of(arguments).amount > 0:
            destination = shown.get("payment", "")
            summary = text_in(locale, "Cancel order {order} and refund {amount}.", order=order, amount=amount)
            done = text_in(locale, "We cancelled order {order} and refunded {amount}.", order=order, amount=amount)
        else:  # everything was refunded before, or nothing was paid
            destination = ""
            summary = text_in(locale, "Cancel order {order}.", order=order)
            done = text_in(locale, "We cancelled order {order}.", order=order)
        rows = [
            Row(text_in(locale, "Order"), order),
            Row(text_in(locale, "Refund"), amount),
            Row(ptext_in(locale, "where money goes", "To"), destination),
            Row(text_in(locale, "Reason"), arguments.get("reason", "")),
        ]
        return Card(
            title=text_in(locale, "Cancel order {order}", order=order),
            summary=summary,
            button=text_in(locale, "Cancel the order"),
            rows=tuple(row for row in rows if row.value),
            done=done,
        )

    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "order": arguments["order_id"],
            "amount": arguments["amount"],
            "currency": arguments["currency"],
            "reference": short(result.get("reference") or result.get("key")),
        }


ACTION = CancelOrder()
