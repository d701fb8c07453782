"""How the shop's products look on a page: a short name, a line of text, a drawing and its background."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from shop.catalogue import PRODUCTS
from shop.models import Currency


@dataclass(frozen=True)
class Exhibit:
    title: str
    line: str | Promise
    drawing: str
    paper: int


EXHIBITS = {
    "KESTREL2": Exhibit("Kestrel 2", _("Tent for two, 1.9 kg"), "tent", 4),
    "TARN45": Exhibit("Tarn 45", _("Backpack, 45 litres"), "pack", 2),
    "SKARN": Exhibit("Skarn", _("Rain jacket, three layers"), "jacket", 3),
    "CAIRN": Exhibit("Cairn", _("Hiking boots, leather"), "boot", 1),
    "EMBER": Exhibit("Ember", _("Sleeping bag, down to −4 °C"), "bag", 4),
    "ALDER": Exhibit("Alder", _("Merino base layer"), "base", 2),
    "PEBBLE": Exhibit("Pebble", _("Gas stove, 84 g"), "stove", 3),
    "LICHEN": Exhibit("Lichen", _("Trekking poles, pair"), "poles", 1),
}


def exhibit_of(line_sku: str) -> Exhibit:
    """Return the exhibit of an order line: ALDER-M is an ALDER."""
    return EXHIBITS[line_sku.partition("-")[0]]


def on_show() -> list[tuple[Exhibit, int]]:
    """Return all products with their prices in euro cents."""
    return [(exhibit, PRODUCTS[sku].price_cents(Currency.EUR)) for sku, exhibit in EXHIBITS.items()]
