"""Send an order that has not shipped yet to another address in the same country."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_noop

from actions.argument_types import OrderId, Shape, Text
from actions.facts import Address, Arguments, Facts, Order
from actions.order_actions import OrderAction
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
    description = {
        "en": "Change the shipping address of a customer's order that has not left the warehouse yet.",
        "de": "Die Lieferadresse einer Bestellung ändern, die das Lager noch nicht verlassen hat.",
    }
    examples = {
        "en": (
            "Can you change the delivery address of order WF-20440?",
            "I moved, please send my order to another address",
            "Ship it to Talstraße 8, 79102 Freiburg instead",
            "My shipping address is wrong",
            "Please change my address",
            "Please send it somewhere else",
            "I want it sent to Talstraße 8, 79102 Freiburg",
            "I want it delivered somewhere else",
            "Send my parcel to another address",
            "Please redirect my parcel",
            "Please redirect the order to a different address",
            "I have moved to Talstraße 8, 79102 Freiburg",
            "There is a mistake in the delivery address",
            "I need a different delivery address",
            "The new address is Talstraße 8, 79102 Freiburg",
            "I typed the wrong house number",
            "Send the parcel to my office instead of home",
            "Deliver it to my mother, I will not be in",
            "Drop it at a pickup point instead",
        ),
        "de": (
            "Können Sie die Lieferadresse der Bestellung WF-20440 ändern?",
            "Ich bin umgezogen, bitte schicken Sie meine Bestellung an eine andere Adresse",
            "Bitte an die Talstraße 8, 79102 Freiburg liefern",
            "Meine Lieferadresse ist falsch",
            "Bitte die Adresse ändern",
            "Schicken Sie es bitte woanders hin",
            "Mein Paket soll woanders hin",
            "Die Adresse stimmt nicht",
            "Bitte an eine andere Adresse liefern",
            "Leiten Sie mein Paket bitte um",
            "Ich bin umgezogen nach Talstraße 8, 79102 Freiburg",
            "In der Adresse ist ein Fehler",
            "Ich brauche eine andere Lieferadresse",
            "Die neue Adresse ist Talstraße 8, 79102 Freiburg",
            "Bitte meine Bestellung an die Talstraße 8, 79102 Freiburg umleiten",
            "Ich habe die falsche Hausnummer eingegeben",
            "Schicken Sie das Paket ins Büro statt nach Hause",
            "Liefern Sie es zu meiner Mutter, ich bin nicht da",
            "Bitte in eine Packstation liefern",
        ),
        "fr": (
            "Pouvez-vous changer l'adresse de livraison de la commande WF-20440 ?",
            "J'ai déménagé, envoyez ma commande à une autre adresse",
            "Livrez-le plutôt au 8 rue du Port, 44000 Nantes",
            "Mon adresse de livraison est fausse, corrigez-la",
            "Je me suis trompé de numéro de rue",
            "Envoyez le colis à mon bureau plutôt que chez moi",
            "Livrez chez ma mère, je ne serai pas là",
            "Mettez-le en point relais",
        ),
        "es": (
            "¿Pueden cambiar la dirección de entrega del pedido WF-20440?",
            "Me he mudado, envíen mi pedido a otra dirección",
            "Mándenlo mejor a calle Puerto 8, 28010 Madrid",
            "Mi dirección de envío está mal, corríjanla",
            "Me equivoqué de número de calle",
            "Envíen el paquete a mi oficina en vez de a casa",
            "Entréguenlo en casa de mi madre, no voy a estar",
            "Déjenlo en un punto de recogida",
        ),
        "it": (
            "Potete cambiare l'indirizzo di consegna dell'ordine WF-20440?",
            "Mi sono trasferito, spedite l'ordine a un altro indirizzo",
            "Consegnatelo invece in via del Porto 8, 16124 Genova",
            "L'indirizzo di spedizione è sbagliato, correggetelo",
            "Ho sbagliato il numero civico",
            "Spedite il pacco in ufficio invece che a casa",
            "Consegnate da mia madre, io non ci sono",
            "Mandatelo a un punto di ritiro",
        ),
        "nl": (
            "Kunnen jullie het bezorgadres van bestelling WF-20440 wijzigen?",
            "Ik ben verhuisd, stuur mijn bestelling naar een ander adres",
            "Bezorg het liever op Havenstraat 8, 3011 AA Rotterdam",
            "Mijn bezorgadres klopt niet, pas het aan",
            "Ik heb het verkeerde huisnummer ingevuld",
            "Stuur het pakket naar mijn werk in plaats van naar huis",
            "Lever het bij mijn moeder af, ik ben er niet",
            "Breng het naar een afhaalpunt",
        ),
    }
    title = msgid("Change the delivery address")
    done = msgid("Delivery address changed")
    limits = Limits(max_requests_per_customer_day=5)

    def terms(self, entered: Arguments, order: Order) -> Terms | Reason:
        kept = {"name": order.address.name, "line2": "", "country": order.address.country}
        address = {name: entered["address"].get(name, kept.get(name, "")) for name in _FIELDS}
        return Terms({"order_id": order.id, "address": address}, shown={"before": _one_line(order.address.as_json())})

    def is_applicable(self, order: Order) -> bool:
        return order.is_before_shipping

    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        order, about = facts.order, {"order": facts.order.id}
        if order.status == "cancelled":
            return Reason("order_cancelled", about)
        if not order.is_before_shipping:
            return Reason("already_shipped", about)
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
