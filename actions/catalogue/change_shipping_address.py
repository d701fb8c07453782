"""Change the address of an order that has not shipped yet, within the same country."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_noop

from actions.argument_types import OrderId, Shape, Text
from actions.catalogue import texts_of
from actions.facts import Address, Arguments, Facts, Order
from actions.order_actions import OrderAction, obstacle_before_shipping
from actions.reasons import Reason
from actions.spec import Call, Card, Limits, Risk, Row, Terms, short
from supportbot.translation import msgid, text_in

_ADDRESS = Shape(
    description="The new address, as the customer gave it.",
    required={
        "line1": Text(gettext_noop("Street and house number."), 100),
        "postal_code": Text(
            gettext_noop("Postal code."), 12, pattern=r"[A-Za-z0-9][A-Za-z0-9 -]{1,11}", example="79102"
        ),
        "city": Text(gettext_noop("City."), 60),
    },
    optional={
        "name": Text(gettext_noop("The recipient. If left out, the recipient stays the same."), 100),
        "line2": Text(gettext_noop("Floor, company and so on."), 100),
        "country": Text(
            gettext_noop("Two-letter country code, such as DE; optional."), 2, pattern="[A-Z]{2}", example="DE"
        ),
    },
)
_FIELDS = ("name", "line1", "line2", "postal_code", "city", "country")


class ChangeShippingAddress(OrderAction):
    name = "change_shipping_address"
    risk = Risk.CHANGE
    arguments = Shape(required={"order_id": OrderId(), "address": _ADDRESS}, optional={})
    description, examples = texts_of(name)
    title = msgid("Change the delivery address")
    done = msgid("Delivery address changed")
    limits = Limits(max_requests_per_customer_day=5)

    def terms(self, entered: Arguments, order: Order) -> Terms | Reason:
        kept = {"name": order.address.name, "line2": "", "country": order.address.country}
        address = {name: entered["address"].get(name, kept.get(name, "")) for name in _FIELDS}
        return Terms({"order_id": order.id, "address": address}, shown={"before": _one_line(order.address.as_json())})

    def state_obstacle(self, order: Order) -> Reason | None:
        return obstacle_before_shipping(order)

    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        order, about = facts.order, {"order": facts.order.id}
        if (obstacle := self.state_obstacle(order)) is not None:
            return obstacle
        if arguments["address"]["country"] != order.address.country:
            return Reason("other_country", {**about, "country": order.address.country})
        if Address(**arguments["address"]) == order.address:
            return Reason("same_address", about)
        return None

    def call(self, arguments: Arguments, customer: str) -> Call:
        filled = {name: value for name, value in arguments["address"].items() if value}
        return Call("change_address", arguments["order_id"], customer, filled)

    def card(self, arguments: Arguments, shown: Mapping[str, Any], locale: str) -> Card:
        order, address = arguments["order_id"], _one_line(arguments["address"])
        rows = [
            Row(text_in(locale, "New address"), address),
            Row(text_in(locale, "Current address"), shown.get("before", "")),
            Row(text_in(locale, "Order"), order),
        ]
        return Card(
            title=text_in(locale, self.title),
            summary=text_in(locale, "Send order {order} to {address}.", order=order, address=address),
            button=text_in(locale, "Change address"),
            rows=tuple(row for row in rows if row.value),
            done=text_in(
                locale, "We changed the delivery address of order {order} to {address}.", order=order, address=address
            ),
        )

    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        address = _one_line(arguments["address"])
        return {
            "order": arguments["order_id"],
            "address": address,
            "reference": short(result.get("reference") or result.get("key")),
        }


def _one_line(address: Mapping[str, str]) -> str:
    place = f"{address['postal_code']} {address['city']}"
    parts = (address["name"], address["line1"], address["line2"], place, address["country"])
    return ", ".join(part for part in parts if part)


ACTION = ChangeShippingAddress()
