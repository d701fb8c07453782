"""Actions and look-ups about an order of the workspace's own merchant API (`MerchantConnection`)."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

from django.utils.timezone import now

from actions.facts import ORDER, Arguments, Identity, Order, Records, Subject
from actions.merchant_api.port import Merchant, merchant
from actions.reasons import Reason
from actions.spec import Call, ReadAction, Requests, Terms, WriteAction


class OrderRead(ReadAction):
    """A look-up of the customer's orders: one order if `order_id` is given, otherwise all."""

    def look_up(self, entered: Arguments, identity: Identity, requests: Requests) -> Sequence[Order] | Reason:
        requests.count()
        order_id = entered.get("order_id")
        if order_id is None:
            # Never trust the merchant's list to contain only this customer's orders.
            listed = merchant().orders_of(identity.sub, locale=identity.locale)
            return tuple(order for order in listed if order.customer == identity.sub)
        order = fetch_own_order(merchant(), order_id, identity)
        return order if isinstance(order, Reason) else (order,)


class OrderAction(WriteAction):
    """An action that changes one order. `order_id` is always an argument."""

    subject_kind = ORDER

    @abstractmethod
    def terms(self, entered: Arguments, order: Order) -> Terms | Reason:
        """Return the complete terms, or the reason why the intent makes no sense for this order. Raises
        InvalidArguments for a value that is invalid for this order.
        """

    def state_obstacle(self, order: Order) -> Reason | None:
        """Return why the order's state rules out this action, whatever its other arguments are; None if it does not.
        Customers are told before they are asked for those arguments, and choose only from the other orders.
        """
        return None

    def is_applicable(self, order: Order) -> bool:
        return self.state_obstacle(order) is None

    @abstractmethod
    def call(self, arguments: Arguments, customer: str) -> Call: ...

    def early_obstacle(self, given: Arguments, identity: Identity) -> Reason | None:
        if "order_id" not in given:
            return None
        order = fetch_own_order(merchant(), given["order_id"], identity)
        return order if isinstance(order, Reason) else self.state_obstacle(order)

    def gather(self, entered: Arguments, identity: Identity) -> Records | Reason:
        order = fetch_own_order(merchant(), entered["order_id"], identity)
        return order if isinstance(order, Reason) else Records({ORDER: order}, identity, order.read_at)

    def no_records(self, arguments: Arguments) -> Reason:
        return Reason("order_not_found", {"order": arguments["order_id"]})

    def subject(self, arguments: Arguments, records: Records | None) -> Subject:
        return Subject(ORDER, records.order.id if records else arguments["order_id"])

    def complete(self, entered: Arguments, records: Records) -> Terms | Reason:
        return self.terms(entered, records.order)

    def back_end(self, arguments: Arguments, locale: str) -> Merchant:
        return merchant()

    def command_as_json(self, command: Call) -> dict[str, Any]:
        return asdict(command)

    def command_from_json(self, sent: dict[str, Any], *, seconds: float) -> Call:
        return Call(**sent)

    def command(self, arguments: Arguments, records: Records, *, key: str) -> Call:
        return self.call(arguments, records.order.customer)


def obstacle_before_shipping(order: Order) -> Reason | None:
    """Return why an action that is possible only before shipping is ruled out; None if it is not."""
    if order.status == "cancelled":
        return Reason("order_cancelled", {"order": order.id})
    return None if order.is_before_shipping else Reason("already_shipped", {"order": order.id})


def fetch_own_order(merchant: Merchant, order_id: str, identity: Identity) -> Order | Reason:
    """Return the customer's own order, or the reason why there is none. Someone else's order and a missing one lead to
    the same query and the same reason.
    """
    asked_at = now()
    order = merchant.order(order_id, locale=identity.locale)
    if order is None or order.customer != identity.sub:
        return Reason("order_not_found", {"order": order_id})
    return replace(order, read_at=asked_at)
