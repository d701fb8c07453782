"""What Wrenfell Outdoor sells, with its prices in whole cents per currency."""

from dataclasses import dataclass

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
        Product("KESTREL2", "Kestrel 2 tent", 389, 399, ("amber", "moss")),
        Product("TARN45", "Tarn 45 backpack", 169, 179),
        Product("SKARN", "Skarn rain jacket", 219, 229, ("S", "M", "L", "XL")),
        Product("CAIRN", "Cairn hiking boots", 189, 199, ("38", "39", "40", "41", "42", "43", "44")),
        Product("EMBER", "Ember sleeping bag", 249, 259),
        Product("ALDER", "Alder merino base layer", 69, 75, ("S", "M", "L", "XL")),
        Product("PEBBLE", "Pebble stove", 54, 59),
        Product("LICHEN", "Lichen trekking poles", 79, 85),
    )
}
