"""Where is my order? Read only: answered inside the turn, from the merchant's own state."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import override

from actions.facts import Order
from actions.money import Money, spoken
from actions.schema import OrderId, Shape
from actions.spec import ReadAction, label

_STATUS = {
    "paid": ("paid, not packed yet", "bezahlt, noch nicht gepackt"),
    "packed": ("packed, leaves soon", "gepackt, geht bald auf den Weg"),
    "shipped": ("on its way", "unterwegs"),
    "delivered": ("delivered", "zugestellt"),
    "cancelled": ("cancelled", "storniert"),
    "returned": ("returned", "zurückgeschickt"),
}
_SETTLED = {"delivered", "cancelled", "returned"}
_MOST_EARLIER = 5


class OrderStatus(ReadAction):
    name = "order_status"
    arguments = Shape(required={}, optional={"order_id": OrderId()})
    title = {"en": "Order status", "de": "Bestellstatus"}
    description = {
        "en": "Look up status, contents and delivery of the customer's own orders; without an order number, of all.",
        "de": "Status, Inhalt und Lieferung der eigenen Bestellungen nachsehen; ohne Bestellnummer die aller.",
    }
    examples = {
        "en": (
            "Where is my order?",
            "What is the status of order WF-20418?",
            "Has my parcel been shipped yet?",
            "When will my order arrive?",
            "Show me my orders",
            "Track my package",
            "I need the status of my order",
            "I want an update on my order",
            "Is my order on its way?",
            "How long until my parcel gets here?",
            "Any news on my order?",
            "Can you check on my delivery?",
            "My order has not arrived yet",
            "When will my order be delivered?",
            "I am waiting for my parcel",
            "Has my order been shipped?",
            "Has my parcel arrived?",
        ),
        "de": (
            "Wo ist meine Bestellung?",
            "Wie ist der Stand der Bestellung WF-20418?",
            "Wurde mein Paket schon verschickt?",
            "Wann kommt meine Lieferung an?",
            "Zeig mir meine Bestellungen",
            "Sendung verfolgen",
            "Ich brauche den Status meiner Bestellung",
            "Ist meine Bestellung schon unterwegs?",
            "Wie lange dauert es noch, bis mein Paket da ist?",
            "Gibt es etwas Neues zu meiner Bestellung?",
            "Können Sie nach meiner Lieferung schauen?",
            "Meine Bestellung ist noch nicht angekommen",
            "Wann wird meine Bestellung geliefert?",
            "Ich warte auf mein Paket",
            "Wann kommt meine Bestellung?",
            "Ist mein Paket angekommen?",
            "Wurde meine Bestellung verschickt?",
        ),
    }

    def answer(self, orders: Sequence[Order], locale: str) -> dict[str, Any]:
        return {"orders": [_told(order, locale) for order in orders]}

    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        if not answer["orders"]:
            return label(locale, "There are no orders in your account.", "In Ihrem Konto gibt es keine Bestellungen.")
        open_ones = [order for order in answer["orders"] if order["status"] not in _SETTLED]
        told = open_ones or answer["orders"][:1]  # where nothing is open, the newest is what was meant
        earlier = [order for order in answer["orders"] if order not in told]
        lines = [_sentence(order, locale) for order in told]
        return "\n".join([*lines, _in_short(earlier, locale)] if earlier else lines)


def _told(order: Order, locale: str) -> dict[str, Any]:
    english, german = _STATUS.get(order.status, (order.status, order.status))
    dates = {"shipped_at": order.shipped_at, "delivered_at": order.delivered_at}
    return {
        "id": order.id,
        "status": order.status,
        "status_text": label(locale, english, german),
        "placed_on": order.placed_at.date().isoformat(),
        **{name: moment.date().isoformat() for name, moment in dates.items() if moment},
        **({"expected_on": order.expected_on} if order.expected_on else {}),
        "total": spoken(Money(order.total, order.currency), locale),
        "refunded": spoken(Money(order.refunded, order.currency), locale),
        "items": [{"sku": line.sku, "name": line.name, "quantity": line.quantity} for line in order.lines],
    }


_DAYS = {
    "shipped_at": ("sent on", "verschickt am"),
    "delivered_at": ("delivered on", "zugestellt am"),
    "expected_on": ("expected on", "erwartet am"),
}


def _in_short(earlier: Sequence[Mapping[str, Any]], locale: str) -> str:
    """Return the orders that have ended in one line, the newest by name; a long history is no answer."""
    named = ", ".join(f"{order['id']} ({', '.join(_ended(order, locale))})" for order in earlier[:_MOST_EARLIER])
    more = len(earlier) - _MOST_EARLIER
    rest = label(locale, f" and {more} more", f" und {more} weitere") if more > 0 else ""
    return label(locale, f"Earlier orders: {named}{rest}.", f"Frühere Bestellungen: {named}{rest}.")


def _ended(order: Mapping[str, Any], locale: str) -> list[str]:
    ordered = label(locale, "ordered on", "bestellt am")
    day = order.get("delivered_at")
    when = _spoken_day(day, locale) if day else f"{ordered} {_spoken_day(order['placed_on'], locale)}"
    return [order["status_text"], when, *_refunded(order, locale)]


def _sentence(told: Mapping[str, Any], locale: str) -> str:
    days = [
        f"{label(locale, *words)} {_spoken_day(told[name], locale)}" for name, words in _DAYS.items() if name in told
    ]
    order = label(locale, f"Order {told['id']}", f"Bestellung {told['id']}")
    total = label(locale, f"total {told['total']}", f"Summe {told['total']}")
    return f"{order}: {', '.join([told['status_text'], *days, total, *_refunded(told, locale)])}."


def _refunded(told: Mapping[str, Any], locale: str) -> list[str]:
    """Return what was paid back, in words; nothing where nothing was."""
    if not any(digit in told["refunded"] for digit in "123456789"):
        return []
    return [label(locale, f"refunded {told['refunded']}", f"erstattet {told['refunded']}")]


def _spoken_day(iso: str, locale: str) -> str:
    """Return a day as one says it of a parcel, whose year nobody asks for; what is no day, as the merchant wrote it."""
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    with override(label(locale, "en", "de")):
        return date_format(day, label(locale, "j F", "j. F"))


ACTION = OrderStatus()
