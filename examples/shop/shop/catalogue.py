"""What Wrenfell Outdoor sells, with its prices in whole cents per currency."""

from dataclasses import dataclass

from django.utils.translation import gettext, gettext_noop

from shop.models import Currency


@dataclass(frozen=True)
class Product:
    sku: str
    name: str
    euro: int
    franc: int
    variants: tuple[str, ...] = ()

    def price_cents(self, currency: str) -> int:
        return (self.euro if currency == Currency.EUR else self.franc) * 100

    def line(self, variant: str) -> tuple[str, str]:
        """Return the SKU and the name of a variant; `variant` is "" for a product without variants."""
        if not variant:
            return self.sku, self.name
        return f"{self.sku}-{variant.upper()}", f"{self.name}, {variant}"


PRODUCTS = {
    product.sku: product
    for product in (
        Product("KESTREL2", gettext_noop("Kestrel 2 tent"), 389, 399, (gettext_noop("amber"), gettext_noop("moss"))),
        Product("TARN45", gettext_noop("Tarn 45 backpack"), 169, 179),
        Product("SKARN", gettext_noop("Skarn rain jacket"), 219, 229, ("S", "M", "L", "XL")),
        Product("CAIRN", gettext_noop("Cairn hiking boots"), 189, 199, ("38", "39", "40", "41", "42", "43", "44")),
        Product("EMBER", gettext_noop("Ember sleeping bag"), 249, 259),
        Product("ALDER", gettext_noop("Alder merino base layer"), 69, 75, ("S", "M", "L", "XL")),
        Product("PEBBLE", gettext_noop("Pebble stove"), 54, 59),
        Product("LICHEN", gettext_noop("Lichen trekking poles"), 79, 85),
    )
}


def translated_name(name: str) -> str:
    """Return an order line's name in the active language. Orders are stored with the English name."""
    product, comma, variant = name.partition(", ")
    return f"{gettext(product)}{comma}{gettext(variant) if variant else ''}"
