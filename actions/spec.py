"""What an action is: its name, its closed arguments, what it means, and how it reads on a card.

Everything here is pure: facts in, values out. One file per action in `catalogue/` makes one of these; a new action is a
copy of its neighbour.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, ClassVar

from actions.facts import Arguments, Facts, Order, Unsettled
from actions.money import Money, spoken
from actions.reasons import Reason
from actions.schema import Shape


class Risk(StrEnum):
    """What can go wrong: nothing changes, something changes, money moves."""

    READ = "read"
    CHANGE = "change"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules that a new workspace starts with, in its own currency; None is no limit."""

    max_per_order: Decimal | None = None
    max_per_customer_day: Decimal | None = None
    max_per_customer_year: Decimal | None = None
    max_per_workspace_day: Decimal | None = None
    max_requests_per_customer_day: int | None = None
    approval_above: Decimal | None = None
    window_days: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """A wish made complete by the merchant's facts: exactly what would be done."""

    arguments: dict[str, Any]
    money: Money | None = None
    shown: Mapping[str, str] = field(default_factory=dict)  # facts of the merchant that the card repeats


@dataclass(frozen=True, slots=True)
class Call:
    """One command to the merchant, in the words of the port; a connector translates it."""

    kind: str  # refund, change_address or cancel
    order: str
    customer: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Face:
    """What a card says in words."""

    title: str
    summary: str
    button: str
    rows: tuple[Row, ...]


class Action(ABC):
    """The part that reads and writes share. `description` and `examples` by locale: the built-in answerer knows wishes
    from them, and a model gets them as its tool list."""

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
    """Something that is looked up inside a turn; nothing changes, so there is no card."""

    risk = Risk.READ

    @abstractmethod
    def answer(self, orders: Sequence[Order], unsettled: Sequence[Unsettled], locale: str) -> dict[str, Any]:
        """Return what the customer may know of their own orders, and of what they asked for about them, as JSON."""

    @abstractmethod
    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        """Return an answer as sentences for the customer."""


class WriteAction(Action):
    """Something that changes one order. `order_id` is always an argument."""

    @abstractmethod
    def terms(self, asked: Arguments, order: Order) -> Terms | Reason:
        """Make the wish complete, or say why it makes no sense for this order; raises InvalidArguments for what only
        the order shows to be wrongly written."""

    def suits(self, order: Order) -> bool:
        """Return whether the order's state allows it at all, whatever is asked: what a customer may choose from."""
        return True

    @abstractmethod
    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        """Return what stands against it now: asked at proposal, at confirmation and right before the call."""

    @abstractmethod
    def call(self, arguments: Arguments, customer: str) -> Call: ...

    @abstractmethod
    def face(self, arguments: Arguments, shown: Mapping[str, str], locale: str) -> Face: ...

    @abstractmethod
    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is kept of the merchant's answer: short texts, no more."""


def money_of(arguments: Arguments) -> Money:
    """Return the amount that complete arguments carry."""
    return Money(Decimal(arguments["amount"]), arguments["currency"])


def spoken_amount(arguments: Arguments, locale: str) -> str:
    return spoken(money_of(arguments), locale)


def short(value: object, limit: int = 120) -> str:
    """Return a merchant's text for a receipt: printable, of bounded length, "" for anything else."""
    return "".join(char for char in value if char.isprintable())[:limit] if isinstance(value, str) else ""


def label(locale: str, english: str, german: str) -> str:
    return german if locale.startswith("de") else english
