"""Where is my order? A look-up: answered inside the turn, from the merchant's current data."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import override

from actions.facts import Order, Unsettled
from actions.money import Money, format_money
from actions.registry import applicable_actions
from actions.schema import OrderId, Shape
from actions.spec import ReadAction, label

_STATUS = {
    "paid": ("paid, not packed yet", "bezahlt, noch nicht gepackt"),
    "packed": ("packed, shipping soon", "gepackt, wird bald verschickt"),
    "shipped": ("on its way", "unterwegs"),
    "delivered": ("delivered", "zugestellt"),
    "cancelled": ("cancelled", "storniert"),
    "returned": ("returned", "zurückgeschickt"),
}
_CLOSED = {"delivered", "cancelled", "returned"}
_MAX_EARLIER = 5
_MAX_OPEN = 10
_MAX_LISTED = 40  # a regular customer may have hundreds, and each one costs a model tokens
_STATE_TEXT = {
    "awaiting_confirmation": ("waiting for your confirmation", "wartet auf Ihre Bestätigung"),
    "awaiting_approval": ("waiting for our team's approval", "wartet auf die Freigabe durch unser Team"),
    "queued": ("in progress", "wird ausgeführt"),
    "executing": ("in progress", "wird ausgeführt"),
    "unknown": ("outcome being checked", "Ergebnis wird geprüft"),
    "rejected": ("not approved by our team", "wurde von unserem Team nicht freigegeben"),
    "failed": ("could not be completed", "konnte nicht ausgeführt werden"),
}


class OrderStatus(ReadAction):
    name = "order_status"
    arguments = Shape(required={}, optional={"order_id": OrderId()})
    title = {"en": "Order status", "de": "Bestellstatus"}
    description = {
        "en": "Look up status, contents and delivery of one of the customer's own orders, or of all of them.",
        "de": "Status, Inhalt und Lieferung der eigenen Bestellungen abrufen; ohne Bestellnummer alle.",
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
            "Where is my refund?",
            "What is the status of my refund?",
            "I am still waiting for my refund",
            "The tracking has not moved for days, what is going on?",
            "Is the driver coming today?",
            "It says delivered but I have nothing",
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
            "Wo bleibt meine Erstattung?",
            "Wie ist der Stand meiner Erstattung?",
            "Ich warte noch auf meine Erstattung",
            "Die Sendungsverfolgung bewegt sich nicht, was ist los?",
            "Kommt der Fahrer heute noch?",
            "Es steht zugestellt da, aber ich habe nichts bekommen",
        ),
        "fr": (
            "Où est ma commande ?",
            "Quel est l'état de la commande WF-20418 ?",
            "Mon colis est-il déjà parti ?",
            "Quand est-ce que ma commande arrive ?",
            "Je n'ai toujours rien reçu",
            "Des nouvelles de mon colis ?",
            "Le suivi ne bouge plus, que se passe-t-il ?",
            "Le livreur vient aujourd'hui ?",
            "C'est marqué livré mais je n'ai rien",
            "Où en est mon remboursement ?",
        ),
        "es": (
            "¿Dónde está mi pedido?",
            "¿Cuál es el estado del pedido WF-20418?",
            "¿Ha salido ya mi paquete?",
            "¿Cuándo llega mi pedido?",
            "Todavía no he recibido nada",
            "¿Hay noticias de mi paquete?",
            "El seguimiento no se mueve, ¿qué pasa?",
            "¿Viene hoy el repartidor?",
            "Pone entregado pero no tengo nada",
            "¿Cómo va mi reembolso?",
        ),
        "it": (
            "Dov'è il mio ordine?",
            "A che punto è l'ordine WF-20418?",
            "Il mio pacco è già partito?",
            "Quando arriva il mio ordine?",
            "Non ho ancora ricevuto niente",
            "Ci sono novità sul mio pacco?",
            "Il tracking è fermo, cosa succede?",
            "Il corriere passa oggi?",
            "Risulta consegnato ma non ho niente",
            "A che punto è il mio rimborso?",
        ),
        "nl": (
            "Waar is mijn bestelling?",
            "Wat is de status van bestelling WF-20418?",
            "Is mijn pakket al verstuurd?",
            "Wanneer komt mijn bestelling aan?",
            "Ik heb nog steeds niets ontvangen",
            "Is er nieuws over mijn pakket?",
            "De track en trace staat stil, wat is er aan de hand?",
            "Komt de bezorger vandaag?",
            "Er staat bezorgd maar ik heb niets",
            "Hoe staat het met mijn terugbetaling?",
        ),
    }

    def answer(self, orders: Sequence[Order], unsettled: Sequence[Unsettled], locale: str) -> dict[str, Any]:
        requested = {request.order for request in unsettled}
        listed = [order for place, order in enumerate(orders) if place < _MAX_LISTED or order.id in requested]
        older = len(orders) - len(listed)
        return {
            "orders": [_as_json(order, _requests_about(order, unsettled, locale), locale) for order in listed],
            **({"older_orders": older} if older else {}),
        }

    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        if not answer["orders"]:
            return label(locale, "There are no orders in your account.", "In Ihrem Konto gibt es keine Bestellungen.")
        open_ones = [order for order in answer["orders"] if order["status"] not in _CLOSED or "asked_for" in order]
        detailed = open_ones[:_MAX_OPEN] or answer["orders"][:1]  # if none is open, the newest one is meant
        others = [order for order in answer["orders"] if order not in detailed]
        lines = [_sentence(order, locale) for order in detailed]
        older = answer.get("older_orders", 0)
        return "\n".join([*lines, _summary_line(others, older, locale)] if others else lines)


def _requests_about(order: Order, unsettled: Sequence[Unsettled], locale: str) -> list[dict[str, str]]:
    return [
        {"what": request.title, "state": request.state, "state_text": label(locale, *_STATE_TEXT[request.state])}
        for request in unsettled
        if request.order == order.id and request.state in _STATE_TEXT
    ]


def _as_json(order: Order, asked_for: Sequence[Mapping[str, str]], locale: str) -> dict[str, Any]:
    english, german = _STATUS.get(order.status, (order.status, order.status))
    dates = {"shipped_at": order.shipped_at, "delivered_at": order.delivered_at}
    return {
        "id": order.id,
        "status": order.status,
        "status_text": label(locale, english, german),
        "placed_on": order.placed_at.date().isoformat(),
        **{name: moment.date().isoformat() for name, moment in dates.items() if moment},
        **({"expected_on": order.expected_on} if order.expected_on else {}),
        "total": format_money(Money(order.total, order.currency), locale),
        "refunded": format_money(Money(order.refunded, order.currency), locale),
        **({"asked_for": list(asked_for)} if asked_for else {}),
        "possible_actions": applicable_actions(order),
        "items": [{"sku": line.sku, "name": line.name, "quantity": line.quantity} for line in order.lines],
    }


_DAYS = {
    "shipped_at": ("sent on", "verschickt am"),
    "delivered_at": ("delivered on", "zugestellt am"),
    "expected_on": ("expected on", "erwartet am"),
}


def _summary_line(others: Sequence[Mapping[str, Any]], older: int, locale: str) -> str:
    """Return one line about the closed or surplus orders, naming only the newest: a long list does not help."""
    named = ", ".join(f"{order['id']} ({', '.join(_closing_facts(order, locale))})" for order in others[:_MAX_EARLIER])
    more = max(len(others) - _MAX_EARLIER, 0) + older
    rest = label(locale, f" and {more} more", f" und {more} weitere") if more > 0 else ""
    if all(order["status"] in _CLOSED for order in others):
        return label(locale, f"Earlier orders: {named}{rest}.", f"Frühere Bestellungen: {named}{rest}.")
    return label(locale, f"Other orders: {named}{rest}.", f"Weitere Bestellungen: {named}{rest}.")


def _closing_facts(order: Mapping[str, Any], locale: str) -> list[str]:
    ordered = label(locale, "ordered on", "bestellt am")
    day = order.get("delivered_at")
    when = _format_day(day, locale) if day else f"{ordered} {_format_day(order['placed_on'], locale)}"
    return [order["status_text"], when, *_refunded(order, locale)]


def _sentence(order: Mapping[str, Any], locale: str) -> str:
    days = [
        f"{label(locale, *words)} {_format_day(order[name], locale)}" for name, words in _DAYS.items() if name in order
    ]
    name = label(locale, f"Order {order['id']}", f"Bestellung {order['id']}")
    total = label(locale, f"total {order['total']}", f"Summe {order['total']}")
    state = f"{name}: {', '.join([order['status_text'], *days, total, *_refunded(order, locale)])}."
    return " ".join([state, *(_request_sentence(request, locale) for request in order.get("asked_for", ()))])


def _request_sentence(request: Mapping[str, str], locale: str) -> str:
    return label(locale, f"Requested: {request['what']} ({request['state_text']}).",
                 f"Angefragt: {request['what']} ({request['state_text']}).")  # fmt: skip


def _refunded(order: Mapping[str, Any], locale: str) -> list[str]:
    """Return the refunded amount in words, or nothing if there is none."""
    if not any(digit in order["refunded"] for digit in "123456789"):
        return []
    return [label(locale, f"refunded {order['refunded']}", f"erstattet {order['refunded']}")]


def _format_day(iso: str, locale: str) -> str:
    """Return a date without its year, as people say it of a parcel; text that is not a date stays as it is."""
    try:
        day = date.fromisoformat(iso)
    except ValueError:
        return iso
    with override(label(locale, "en", "de")):
        return date_format(day, label(locale, "j F", "j. F"))


ACTION = OrderStatus()
