"""Cancel an order that has not shipped yet, and refund what was paid."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_noop

from actions.argument_types import OrderId, Shape, Text
from actions.facts import Arguments, Facts, Order
from actions.money import format_amount
from actions.order_actions import OrderAction
from actions.reasons import Reason
from actions.spec import Call, Card, Limits, Risk, Row, Terms, formatted_amount, money_of, short
from supportbot.translation import msgid, ptext_in, text_in


class CancelOrder(OrderAction):
    name = "cancel_order"
    risk = Risk.MONEY
    arguments = Shape(
        required={"order_id": OrderId()}, optional={"reason": Text(gettext_noop("Why, in the customer's words."), 200)}
    )
    title = msgid("Cancel an order")
    done = msgid("Order cancelled")
    description = {
        "en": "Cancel a customer's order that has not left the warehouse yet, and refund what was paid.",
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
            "Do not send it, I ordered it by mistake",
            "I ordered twice, take one of them off",
            "I withdraw from the purchase",
            "I found it cheaper, call the order off",
        ),
        "de": (
            "Bitte stornieren Sie meine Bestellung WF-20444",
            "Ich möchte stornieren, ich habe die falsche Größe bestellt",
            "Können Sie meine Bestellung noch aufhalten?",
            "Ich brauche es nicht mehr, bitte die Bestellung abbrechen",
            "Machen Sie die Bestellung bitte rückgängig",
            "Bitte die Bestellung stoppen",
            "Nicht mehr verschicken, ich habe aus Versehen bestellt",
            "Ich habe doppelt bestellt, nehmen Sie eine davon raus",
            "Ich trete vom Kauf zurück",
            "Ich habe es woanders günstiger gefunden, Bestellung löschen",
        ),
        "fr": (
            "Annulez ma commande WF-20444 s'il vous plaît",
            "Je veux annuler, je me suis trompé de taille",
            "Pouvez-vous arrêter ma commande avant l'envoi ?",
            "Je n'en ai plus besoin, ne l'envoyez pas",
            "J'ai commandé par erreur, supprimez la commande",
            "Je me rétracte de mon achat",
            "J'ai commandé deux fois, enlevez-en une",
        ),
        "es": (
            "Cancelen mi pedido WF-20444 por favor",
            "Quiero cancelar, pedí la talla equivocada",
            "¿Pueden parar mi pedido antes de que salga?",
            "Ya no lo necesito, no lo envíen",
            "Lo pedí por error, anulen el pedido",
            "Desisto de la compra",
            "Lo pedí dos veces, quiten uno",
        ),
        "it": (
            "Annullate il mio ordine WF-20444 per favore",
            "Voglio annullare, ho sbagliato taglia",
            "Potete fermare l'ordine prima che parta?",
            "Non mi serve più, non speditelo",
            "Ho ordinato per sbaglio, cancellate l'ordine",
            "Recedo dall'acquisto",
            "L'ho ordinato due volte, toglietene uno",
        ),
        "nl": (
            "Annuleer mijn bestelling WF-20444 alsjeblieft",
            "Ik wil annuleren, ik heb de verkeerde maat besteld",
            "Kunnen jullie mijn bestelling tegenhouden voor hij weggaat?",
            "Ik heb het niet meer nodig, niet versturen",
            "Per ongeluk besteld, haal de bestelling eruit",
            "Ik zie af van de koop",
            "Ik heb dubbel besteld, haal er een weg",
        ),
    }
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

    def is_applicable(self, order: Order) -> bool:
        return order.is_before_shipping

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

    def card(self, arguments: Arguments, shown: Mapping[str, Any], locale: str) -> Card:
        amount, order = formatted_amount(arguments, locale), arguments["order_id"]
        rows = [
            Row(text_in(locale, "Order"), order),
            Row(text_in(locale, "Refund"), amount),
            Row(ptext_in(locale, "where money goes", "To"), shown.get("payment", "")),
            Row(text_in(locale, "Reason"), arguments.get("reason", "")),
        ]
        return Card(
            title=text_in(locale, "Cancel order {order}", order=order),
            summary=text_in(locale, "Cancel order {order} and refund {amount}.", order=order, amount=amount),
            button=text_in(locale, "Cancel the order"),
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
