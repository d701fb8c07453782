"""Token prices from the operator's table. No price is built in, so an unknown model's cost is unknown, not zero.

LLM_PRICES is JSON: {"currency": "EUR", "per_million_tokens": {"<model>": {"input": "0.15", "output": "0.60", "cached":
"0.08"}}}. If `cached` is left out, cached tokens cost as much as others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.utils.translation import gettext

from supportbot.llm.errors import ModelMisconfigured
from supportbot.llm.types import Usage

MILLION = Decimal(1_000_000)
_EXAMPLE = '{"currency": "EUR", "per_million_tokens": {"<model>": {"input": "0.15", "output": "0.60"}}}'
_AMOUNT = re.compile(r"\d{1,9}(\.\d{1,8})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Money:
    amount: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Price:
    """A price per million tokens of each kind."""

    currency: str
    input: Decimal
    output: Decimal
    cached: Decimal

    def of(self, usage: Usage) -> Money:
        """Return the cost of `usage`. Providers count cached tokens among the input tokens."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        fresh = usage.input_tokens - cached
        amount = fresh * self.input + cached * self.cached + usage.output_tokens * self.output
        return Money(amount / MILLION, self.currency)


def price_of(model: str) -> Price | None:
    """Return the price of a model, or None if the operator has not set one.

    Raises ModelMisconfigured for a malformed table.
    """
    return parse_prices(settings.LLM_PRICES).get(model)


def price_at(provider: object, model: str) -> Price | None:
    """Return a model's price at a provider: the provider's own, or else the installation's price for this model."""
    own: Price | None = getattr(provider, "price", None)
    return own or price_of(model)


def parse_prices(table: Any) -> dict[str, Price]:
    """Return the prices by model. Raises ModelMisconfigured with the name of the invalid entry."""
    currency, entries = currency_of_prices(table), table["per_million_tokens"] if table else {}
    return {model: _price(currency, model, entry) for model, entry in entries.items()}


def currency_of_prices(table: Any) -> str:
    """Return the currency of a table of prices; "" if it is empty. Raises ModelMisconfigured if it is not such a table;
    the prices in it are not checked.
    """
    if not table:
        return ""
    if not isinstance(table, Mapping) or not isinstance(table.get("per_million_tokens"), Mapping):
        raise ModelMisconfigured(gettext("LLM_PRICES must look like {example}.").format(example=_EXAMPLE))
    currency = table.get("currency")
    if not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise ModelMisconfigured(gettext("LLM_PRICES: currency must be three capital letters, like EUR."))
    return currency if table["per_million_tokens"] else ""


def _price(currency: str, model: str, entry: Any) -> Price:
    if not isinstance(entry, Mapping):
        problem = gettext("LLM_PRICES: the price of {model} must be an object with input and output.")
        raise ModelMisconfigured(problem.format(model=model))
    unknown = sorted(set(entry) - {"input", "output", "cached"})
    if unknown:
        problem = gettext("LLM_PRICES: {model} has an unknown field “{field}”.")
        raise ModelMisconfigured(problem.format(model=model, field=unknown[0]))
    per_input = _amount(model, "input", entry.get("input"))
    cached = _amount(model, "cached", entry["cached"]) if "cached" in entry else per_input
    return Price(currency, per_input, _amount(model, "output", entry.get("output")), cached)


def _amount(model: str, field: str, value: Any) -> Decimal:
    text = str(value)
    if isinstance(value, bool) or not _AMOUNT.fullmatch(text):
        problem = gettext('LLM_PRICES: {model}.{field} must be an amount per million tokens, like "0.15".')
        raise ModelMisconfigured(problem.format(model=model, field=field))
    return Decimal(text)
