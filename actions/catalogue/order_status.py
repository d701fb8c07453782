"""A look-up for "Where is my order?", answered within the turn from the merchant's current data."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from actions.argument_types import OrderId, Shape
from actions.catalogue import texts_of
from actions.facts import ORDER, Order, Unsettled
from actions.money import Money, format_money
from actions.order_actions import OrderRead
from actions.registry import applicable_actions
from actions.spec import CARDS
from supportbot.formats import format_day_of_year
from supportbot.translation import msgid, ntext_in, ptext_in, text_in

_STATUS = {
    "paid": msgid("paid, not packed yet"),
    "packed": msgid("packed, shipping soon"),
    "shipped": msgid("on its way"),
    "delivered": msgid("delivered"),
    "cancelled": msgid("cancelled"),
    "returned": msgid("returned"),
}
_CLOSED = {"delivered", "cancelled", "returned"}
_MAX_EARLIER = 5
_MAX_OPEN = 10
_MAX_CARDS = 3
_MAX_ITEMS = 5
_MAX_LISTED = 40  # a regular customer may have hundreds of orders, and each one costs a model tokens
_STATE_TEXT = {
    "awaiting_confirmation": msgid("waiting for your confirmation"),
    "awaiting_approval": msgid("waiting for our team's approval"),
    "queued": msgid("in progress"),
    "executing": msgid("in progress"),
    "unknown": msgid("outcome being checked"),
    "rejected": msgid("not approved by our team"),
    "failed": msgid("could not be completed"),
}
_DAYS = {
    "shipped_at": msgid("sent on {day}"),
    "delivered_at": msgid("delivered on {day}"),
    "expected_on": msgid("expected on {day}"),
}


class OrderStatus(OrderRead):
    name = "order_status"
    has_cards = True
    arguments = Shape(required={}, optional={"order_id": OrderId()})
    title = msgid("Order status")
    description, examples = texts_of(name)

    def answer(self, found: Sequence[Order], unsettled: Sequence[Unsettled], locale: str) -> dict[str, Any]:
        requested = {request.subject_id for request in unsettled if request.subject_kind == ORDER}
        listed = [order for place, order in enumerate(found) if place < _MAX_LISTED or order.id in requested]
        older = len(found) - len(listed)
        orders = [_as_json(order, _requests_about(order, unsettled, locale), locale) for order in listed]
        named = {order.id: order for order in listed}
        cards = [_card(named[order["id"]], order, locale) for order in _detailed(orders)[:_MAX_CARDS]]
        return {
            "orders": orders,
            **({"older_orders": older} if older else {}),
            **({CARDS: cards} if cards else {}),
        }

    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        if not answer["orders"]:
            return text_in(locale, "There are no orders in your account.")
        detailed = _detailed(answer["orders"])
        others = [order for order in answer["orders"] if order not in detailed]
        lines = [_sentence(order, locale) for order in detailed]
        older = answer.get("older_orders", 0)
        first_day = min(order["placed_on"] for order in detailed)
        are_earlier = all(order["status"] in _CLOSED and order["placed_on"] < first_day for order in others)
        summary = _earlier_orders if are_earlier else _other_orders
        return "\n".join([*lines, summary(others, older, locale)] if others else lines)


def _detailed(orders: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """Return the open orders, or the newest order if none is open."""
    open_ones = [order for order in orders if order["status"] not in _CLOSED or "asked_for" in order]
    return open_ones[:_MAX_OPEN] or orders[:1]


def _card(order: Order, answer: Mapping[str, Any], locale: str) -> dict[str, Any]:
    """Return the order as a card: its state with the latest known date, its items and its total."""
    days = _days(answer, locale)[-1:]
    status = days if "delivered_at" in answer and answer["status"] == "delivered" else [answer["status_text"], *days]
    state = _listed([*status, *_refunded(answer, locale)], locale)
    items = [f"{line.quantity} × {line.name}" if line.quantity > 1 else line.name for line in order.lines]
    rows = [
        (text_in(locale, "Status"), state),
        (text_in(locale, "Items"), _listed(items[:_MAX_ITEMS] + (["…"] if len(items) > _MAX_ITEMS else []), locale)),
        (text_in(locale, "Total"), answer["total"]),
    ]
    addresses = {name: address for name, address in (("link", order.page), ("picture", order.picture)) if address}
    return {
        "title": text_in(locale, "Order {order}", order=order.id),
        "rows": [{"label": label, "value": value} for label, value in rows],
        **addresses,
    }


def _requests_about(order: Order, unsettled: Sequence[Unsettled], locale: str) -> list[dict[str, str]]:
    return [
        {"what": request.title, "state": request.state, "state_text": text_in(locale, _STATE_TEXT[request.state])}
        for request in unsettled
        if (request.subject_kind, request.subject_id) == (ORDER, order.id) and request.state in _STATE_TEXT
    ]


def _as_json(order: Order, asked_for: Sequence[Mapping[str, str]], locale: str) -> dict[str, Any]:
    dates = {"shipped_at": order.shipped_at, "delivered_at": order.delivered_at}
    return {
        "id": order.id,
        "status": order.status,
        "status_text": text_in(locale, _STATUS.get(order.status, order.status)),
        "placed_on": order.placed_at.date().isoformat(),
        **{name: moment.date().isoformat() for name, moment in dates.items() if moment},
        # A closed order is not expected any more, even if the merchant still sends the day.
        **({"expected_on": order.expected_on} if order.expected_on and order.status not in _CLOSED else {}),
        "total": format_money(Money(order.total, order.currency), locale),
        "refunded": format_money(Money(order.refunded, order.currency), locale),
        **({"asked_for": list(asked_for)} if asked_for else {}),
        "possible_actions": applicable_actions(order),
        "items": [{"sku": line.sku, "name": line.name, "quantity": line.quantity} for line in order.lines],
    }


def _earlier_orders(others: Sequence[Mapping[str, Any]], older: int, locale: str) -> str:
    """Return one line about orders that are not shown in detail."""
    orders, n = _named(others, older, locale)
    if n > 0:
        return ntext_in(
            locale,
            "Earlier orders: {orders} and {n} more.",
            "Earlier orders: {orders} and {n} more.",
            n,
            orders=orders,
        )
    return text_in(locale, "Earlier orders: {orders}.", orders=orders)


def _other_orders(others: Sequence[Mapping[str, Any]], older: int, locale: str) -> str:
    """Like `_earlier_orders`, but for orders that include open ones or ones placed later."""
    orders, n = _named(others, older, locale)
    if n > 0:
        return ntext_in(
            locale, "Other orders: {orders} and {n} more.", "Other orders: {orders} and {n} more.", n, orders=orders
        )
    return text_in(locale, "Other orders: {orders}.", orders=orders)


def _named(others: Sequence[Mapping[str, Any]], older: int, locale: str) -> tuple[str, int]:
    """Return the newest of these orders in words, and the number of the others. A long list does not help."""
    named = [f"{order['id']} ({_listed(_closing_facts(order, locale), locale)})" for order in others[:_MAX_EARLIER]]
    return _listed(named, locale), max(len(others) - _MAX_EARLIER, 0) + older


def _listed(facts: Iterable[str], locale: str) -> str:
    return ptext_in(locale, "between the items of a list", ", ").join(facts)


def _closing_facts(order: Mapping[str, Any], locale: str) -> list[str]:
    day = order.get("delivered_at")
    if day:
        when = format_day_of_year(day, locale)
    else:
        when = text_in(locale, "ordered on {day}", day=format_day_of_year(order["placed_on"], locale))
    return [order["status_text"], when, *_refunded(order, locale)]


def _sentence(order: Mapping[str, Any], locale: str) -> str:
    days = _days(order, locale)
    total = text_in(locale, "total {amount}", amount=order["total"])
    facts = _listed([order["status_text"], *days, total, *_refunded(order, locale)], locale)
    state = text_in(locale, "Order {order}: {facts}.", order=order["id"], facts=facts)
    return " ".join([state, *(_request_sentence(request, locale) for request in order.get("asked_for", ()))])


def _days(order: Mapping[str, Any], locale: str) -> list[str]:
    return [
        text_in(locale, words, day=format_day_of_year(order[name], locale))
        for name, words in _DAYS.items()
        if name in order
    ]


def _request_sentence(request: Mapping[str, str], locale: str) -> str:
    return text_in(locale, "Requested: {what} ({state}).", what=request["what"], state=request["state_text"])


def _refunded(order: Mapping[str, Any], locale: str) -> list[str]:
    """Return the refunded amount in words, or nothing if there is none."""
    if not any(character.isdecimal() and int(character) for character in order["refunded"]):
        return []
    return [text_in(locale, "refunded {amount}", amount=order["refunded"])]


ACTION = OrderStatus()
