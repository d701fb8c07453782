"""What defines an action: its name, its closed arguments, its rules, and its card.

Everything here is pure: facts in, values out. Each file in `catalogue/` defines one action; start a new one by copying
an existing file.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from actions.facts import Arguments, Facts, Order, Unsettled
from actions.money import Money, format_money
from actions.reasons import Reason
from actions.schema import Shape


class Risk(StrEnum):
    """What the action does: it only reads, changes something, or moves money."""

    READ = "read"
    CHANGE = "change"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Limits:
    """The default rules of a new workspace, in its own currency; None means no limit."""

    max_per_order: Decimal | None = None
    max_per_customer_day: Decimal | None = None
    max_per_customer_year: Decimal | None = None
    max_per_workspace_day: Decimal | None = None
    max_requests_per_customer_day: int | None = None
    approval_above: Decimal | None = None
    window_days: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """An intent completed with the merchant's data: exactly what would be done."""

    arguments: dict[str, Any]
    money: Money | None = None
    shown: Mapping[str, str] = field(default_factory=dict)  # merchant data that the card repeats


@dataclass(frozen=True, slots=True)
class Call:
    """One command to the merchant, in the port's terms; a connector translates it."""

    kind: str  # refund, change_address or cancel
    order: str
    customer: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Card:
    """The texts of a card."""

    title: str
    summary: str
    button: str
    rows: tuple[Row, ...]


class Action(ABC):
    """What reads and writes share. `description` and `examples` are by locale: the built-in answerer detects intents
    with them, and a model gets them in its tool list."""

    name: ClassVar[str]
    version: ClassVar[int] = 1
    risk: ClassVar[Risk]
    arguments: ClassVar[Shape]
    title: ClassVar[Mapping[str, str]]
    description: ClassVar[Mapping[str, str]]
    examples: ClassVar[Mapping[str, Sequence[str]]]
    limits: ClassVar[Limits] = Limits()

    @property
    def is_read(self) -> bool:
        return self.risk is Risk.READ

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments, closed."""
        return self.arguments.json_schema()


class ReadAction(Action):
    """A look-up inside a turn; nothing changes, so there is no card."""

    risk = Risk.READ

    @abstractmethod
    def answer(self, orders: Sequence[Order], unsettled: Sequence[Unsettled], locale: str) -> dict[str, Any]:
        """Return what the customer may see of their own orders and their requests about them, as JSON."""

    @abstractmethod
    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        """Return an answer as sentences for the customer."""


class WriteAction(Action):
    """An action that changes one order. `order_id` is always an argument."""

    @abstractmethod
    def terms(self, asked: Arguments, order: Order) -> Terms | Reason:
        """Return the complete terms, or the reason why the intent makes no sense for this order. Raises
        InvalidArguments for a value that only the order shows to be invalid."""

    def is_applicable(self, order: Order) -> bool:
        """Return whether the order's state allows this action at all; customers choose from the applicable ones."""
        return True

    @abstractmethod
    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        """Return what forbids it now, or None; checked at proposal, at confirmation and right before the call."""

    @abstractmethod
    def call(self, arguments: Arguments, customer: str) -> Call: ...

    @abstractmethod
    def card(self, arguments: Arguments, shown: Mapping[str, str], locale: str) -> Card: ...

    @abstractmethod
    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is stored of the merchant's answer: short texts only."""


def money_of(arguments: Arguments) -> Money:
    """Return the amount in complete arguments."""
    return Money(Decimal(arguments["amount"]), arguments["currency"])


def formatted_amount(arguments: Arguments, locale: str) -> str:
    return format_money(money_of(arguments), locale)


def short(value: object, limit: int = 120) -> str:
    """Return a merchant's text for a receipt: printable and of limited length, or "" if it is not a string."""
    return "".join(char for char in value if char.isprintable())[:limit] if isinstance(value, str) else ""


def label(locale: str, english: str, german: str) -> str:
    return german if locale.startswith("de") else english
