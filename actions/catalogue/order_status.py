"""Where is my order? Read only: answered inside the turn, from the merchant's own state."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import override

from actions.facts import Order, Unsettled
from actions.money import Money, spoken
from actions.registry import actions_for
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
_MOST_OPEN = 10
_MOST_TOLD = 40  # of a regular customer's hundreds; a model pays for every one of them
_CAME_TO = {
    "awaiting_confirmation": ("waits for your confirmation", "wartet auf Ihre Bestätigung"),
    "awaiting_approval": ("waits for approval by our team", "wartet auf die Freigabe durch unser Team"),
    "queued": ("is under way", "wird ausgeführt"),
    "executing": ("is under way", "wird ausgeführt"),
    "unknown": ("its outcome is being checked", "der Ausgang wird geprüft"),
    "rejected": ("was not approved by our team", "wurde von unserem Team nicht freigegeben"),
    "failed": ("could not be carried out", "konnte nicht ausgeführt werden"),
}


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
        wished = {wish.order for wish in unsettled}
        told = [order for place, order in enumerate(orders) if place < _MOST_TOLD or order.id in wished]
        older = len(orders) - len(told)
        return {
            "orders": [_told(order, _asked_about(order, unsettled, locale), locale) for order in told],
            **({"older_orders": older} if older else {}),
        }

    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        if not answer["orders"]:
            return label(locale, "There are no orders in your account.", "In Ihrem Konto gibt es keine Bestellungen.")
        open_ones = [order for order in answer["orders"] if order["status"] not in _SETTLED or "asked_for" in order]
        told = open_ones[:_MOST_OPEN] or answer["orders"][:1]  # where nothing is open, the newest is what was meant
        others = [order for order in answer["orders"] if order not in told]
        lines = [_sentence(order, locale) for order in told]
        older = answer.get("older_orders", 0)
        return "\n".join([*lines, _in_short(others, older, locale)] if others else lines)


def _asked_about(order: Order, unsettled: Sequence[Unsettled], locale: str) -> list[dict[str, str]]:
    return [
        {"what": wish.title, "state": wish.state, "state_text": label(locale, *_CAME_TO[wish.state])}
        for wish in unsettled
        if wish.order == order.id and wish.state in _CAME_TO
    ]


def _told(order: Order, asked_for: Sequence[Mapping[str, str]], locale: str) -> dict[str, Any]:
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
        **({"asked_for": list(asked_for)} if asked_for else {}),
        "possible_actions": actions_for(order),
        "items": [{"sku": line.sku, "name": line.name, "quantity": line.quantity} for line in order.lines],
    }


_DAYS = {
    "shipped_at": ("sent on", "verschickt am"),
    "delivered_at": ("delivered on", "zugestellt am"),
    "expected_on": ("expected on", "erwartet am"),
}


def _in_short(others: Sequence[Mapping[str, Any]], older: int, locale: str) -> str:
    """Return the orders that have ended, or are too many, in one line, the newest by name: a long list is no answer."""
    named = ", ".join(f"{order['id']} ({', '.join(_ended(order, locale))})" for order in others[:_MOST_EARLIER])
    more = max(len(others) - _MOST_EARLIER, 0) + older
    rest = label(locale, f" and {more} more", f" und {more} weitere") if more > 0 else ""
    if all(order["status"] in _SETTLED for order in others):
        return label(locale, f"Earlier orders: {named}{rest}.", f"Frühere Bestellungen: {named}{rest}.")
    return label(locale, f"Further orders: {named}{rest}.", f"Weitere Bestellungen: {named}{rest}.")


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
    state = f"{order}: {', '.join([told['status_text'], *days, total, *_refunded(told, locale)])}."
    return " ".join([state, *(_asked(wish, locale) for wish in told.get("asked_for", ()))])


def _asked(wish: Mapping[str, str], locale: str) -> str:
    return label(locale, f"Asked for: {wish['what']} ({wish['state_text']}).",
                 f"Gewünscht: {wish['what']} ({wish['state_text']}).")  # fmt: skip


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
