"""Cancel an order that has not left yet; what was paid is paid back."""

from collections.abc import Mapping
from typing import Any

from actions.facts import Arguments, Facts, Order
from actions.money import plain
from actions.reasons import Reason
from actions.schema import OrderId, Shape, Text
from actions.spec import Call, Face, Limits, Risk, Row, Terms, WriteAction, label, money_of, short, spoken_amount


class CancelOrder(WriteAction):
    name = "cancel_order"
    risk = Risk.MONEY
    arguments = Shape(required={"order_id": OrderId()}, optional={"reason": Text("Why, in the customer's words.", 200)})
    title = {"en": "Cancel an order", "de": "Bestellung stornieren"}
    description = {
        "en": "Cancel an order of the customer that has not left the warehouse yet, and pay back what was paid.",
        "de": "Eine Bestellung stornieren, die das Lager noch nicht verlassen hat, und das Geld zurückzahlen.",
    }
    examples = {
        "en": (
            "Please cancel my order WF-20444",
            "I want to cancel, I ordered the wrong size",
            "Can you stop my order before it ships?",
            "I do not need it any more, cancel it",
            "Cancel that order for me",
            "Please cancel it",
            "Please stop this order",
        ),
        "de": (
            "Bitte stornieren Sie meine Bestellung WF-20444",
            "Ich möchte stornieren, ich habe die falsche Größe bestellt",
            "Können Sie meine Bestellung noch aufhalten?",
            "Ich brauche es nicht mehr, bitte die Bestellung abbrechen",
            "Machen Sie die Bestellung bitte rückgängig",
            "Bitte die Bestellung stoppen",
        ),
    }
    limits = Limits(max_requests_per_customer_day=5)

    def terms(self, asked: Arguments, order: Order) -> Terms | Reason:
        money = order.remaining
        arguments = {
            **asked,
            "order_id": order.id,
            "amount": plain(money.amount, money.currency),
            "currency": money.currency,
        }
        return Terms(arguments, money, {"payment": order.payment})

    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        order, about = facts.order, {"order": facts.order.id}
        if order.status == "cancelled":
            return Reason("order_cancelled", about)
        if not order.is_before_shipping:
            return Reason("already_shipped", about)
        if money_of(arguments) != order.remaining:
            return Reason("terms_changed", about)
        return None

    def call(self, arguments: Arguments, customer: str) -> Call:
        wanted = {"reason": arguments["reason"]} if "reason" in arguments else {}
        return Call("cancel", arguments["order_id"], customer, wanted)

    def face(self, arguments: Arguments, shown: Mapping[str, str], locale: str) -> Face:
        amount, order = spoken_amount(arguments, locale), arguments["order_id"]
        rows = [
            Row(label(locale, "Order", "Bestellung"), order),
            Row(label(locale, "Paid back", "Zurückgezahlt"), amount),
            Row(label(locale, "To", "An"), shown.get("payment", "")),
            Row(label(locale, "Reason", "Grund"), arguments.get("reason", "")),
        ]
        return Face(
            title=label(locale, f"Cancel order {order}", f"Bestellung {order} stornieren"),
            summary=label(
                locale,
                f"Cancel order {order} and pay back {amount}.",
                f"Bestellung {order} stornieren und {amount} zurückzahlen.",
            ),
            button=label(locale, "Cancel the order", "Bestellung stornieren"),
            rows=tuple(row for row in rows if row.value),
        )

    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "order": arguments["order_id"],
            "amount": arguments["amount"],
            "currency": arguments["currency"],
            "reference": short(result.get("reference") or result.get("key")),
        }


ACTION = CancelOrder()
