"""The definition of an action in code: its name, its closed arguments, its rules, and its card.

Everything here is pure: it takes facts and returns values. Each file in `catalogue/` defines one action; copy an
existing file to start a new one.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from inspect import signature
from typing import Any, Final

from actions.argument_types import Shape
from actions.errors import OutdatedAction
from actions.facts import Arguments, Facts, Identity, Records, Subject, Unsettled
from actions.money import Money, format_money
from actions.outcomes import BackEnd, OutcomeKind
from actions.reasons import Reason
from supportbot.translation import text_in

# Requests that one visitor may cause: enough to ask about products, too few to copy a catalogue.
VISITOR_REQUESTS_PER_HOUR: Final = 60


class Requests:
    """The requests that a look-up sends to the connected system: they are counted, and equal ones are made only once,
    even if one was already made to find the records to choose from. `spend` is called before each request, and may
    raise an error to prevent it.
    """

    def __init__(self, spend: Callable[[], None] | None = None) -> None:
        self._spend = spend or (lambda: None)
        self._answers: dict[str, Any] = {}
        self._is_begun = self._is_paid = False

    def begin(self) -> None:
        """Count the look-up itself, so that even one without requests is counted; its first request is then free."""
        if not self._is_begun:
            self._spend()
            self._is_begun = self._is_paid = True

    def count(self) -> None:
        """Count a request that is about to be made."""
        if not self._is_paid:
            self._spend()
        self._is_paid = False

    def answer(self, key: str, ask: Callable[[], Any]) -> Any:
        """Return the answer to the request with this key; the request is made only the first time."""
        if key not in self._answers:
            self.count()
            self._answers[key] = ask()
        return self._answers[key]


# Former names of an action's methods, refused until 0.3: otherwise they would be silently ignored.
_RENAMED: Final = {"suits": "is_applicable", "face": "card"}
# Methods that must count their requests: without this parameter, nothing would limit a visitor's look-ups.
_COUNTING: Final = {"look_up": "asked, identity, requests", "choices": "arguments, asked, identity, locale, requests"}


class Risk(StrEnum):
    """The kind of action: it only reads, changes something, or moves money."""

    READ = "read"
    CHANGE = "change"
    MONEY = "money"


@dataclass(frozen=True, slots=True)
class Limits:
    """The default rules of a new workspace, in its own currency; None means no limit."""

    max_per_order: Decimal | None = None  # also the limit for other subjects
    max_per_customer_day: Decimal | None = None
    max_per_customer_year: Decimal | None = None
    max_per_workspace_day: Decimal | None = None
    max_requests_per_customer_day: int | None = None
    approval_above: Decimal | None = None
    second_approval_above: Decimal | None = None
    window_days: int | None = None
    hold_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Undo:
    """The action that undoes this one, and for how many hours it is offered."""

    action: str
    within_hours: int


@dataclass(frozen=True, slots=True)
class Terms:
    """An intent completed with the merchant's data: exactly what would be done."""

    arguments: dict[str, Any]
    money: Money | None = None
    shown: Mapping[str, Any] = field(default_factory=dict)  # merchant data that the card repeats


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
class Choice:
    """One of the customer's records: the value that identifies it, and the words that describe it to them."""

    value: str
    label: str


@dataclass(frozen=True, slots=True)
class Choices:
    """The records that a customer can choose; `is_every` is false if there are other records, which cannot be chosen
    here.
    """

    offered: Sequence[Choice]
    is_every: bool = True


@dataclass(frozen=True, slots=True)
class Card:
    """A card's texts. `note` is what the shop tells customers before they confirm; it appears above the rows."""

    title: str
    summary: str
    button: str
    rows: tuple[Row, ...]
    note: str = ""
    done: str = ""  # the sentence after success; "" for the usual words around the summary


class Action(ABC):
    """The common base of look-ups and writes. `title` is a message in the customers' catalogues. `description` and
    `examples` are by locale; the built-in answerer uses them to detect intents, and a model gets them in its tool list.
    """

    name: str
    version: int = 1
    risk: Risk
    arguments: Shape
    title: str
    description: Mapping[str, str]
    examples: Mapping[str, Sequence[str]]
    limits: Limits = Limits()
    # The most requests per customer and day that the workspace's rules can allow; None if the rules alone decide.
    most_requests: int | None = None
    # Text arguments that are taken from the chat, such as a summary of it; customers are not asked for them.
    from_chat: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()  # arguments that customers choose from their own records
    is_public: bool = False  # a look-up that its author opened to visitors who are not signed in: public records only

    def title_in(self, locale: str) -> str:
        """Return the title in a customer's language."""
        return text_in(locale, self.title)

    def __init_subclass__(cls) -> None:
        """Raise OutdatedAction for a class that defines a method by its former name or with its former parameters."""
        super().__init_subclass__()
        for name, parameters in _COUNTING.items():
            if name in vars(cls) and "requests" not in signature(vars(cls)[name]).parameters:
                raise OutdatedAction(f"{cls.__module__}: let {cls.__name__}.{name} take {parameters}.")
        for former, current in _RENAMED.items():
            if former in vars(cls):
                raise OutdatedAction(f"{cls.__module__}: rename {cls.__name__}.{former} to {current}.")

    def option_label(self, argument: str, option: str, locale: str) -> str:
        """Return the label of an option of a choice; inside an object, `argument` is a path such as address.kind."""
        return option

    def choices(
        self, arguments: Sequence[str], entered: Arguments, identity: Identity, locale: str, requests: Requests
    ) -> dict[str, Choices] | Reason:
        """Return the choices for the first of these `chosen` arguments and any others that draw on the same records; if
        the first has no choices, return the reason instead. Counts each request it makes. Raises MerchantUnavailable,
        NotConnected, or what counting raises.
        """
        return {}

    def choices_need(self, argument: str, others: Collection[str]) -> bool:
        """Return whether the choices for a `chosen` argument depend on any of these other arguments."""
        return False

    def argument_label(self, argument: str, locale: str) -> str:
        """Return the name that customers read for an argument, or for a field inside one (address.street); "" if the
        action has none.
        """
        return ""

    @property
    def is_read(self) -> bool:
        return self.risk is Risk.READ

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the arguments, closed."""
        return self.arguments.json_schema()

    def labelled_schema(self, locale: str) -> dict[str, Any]:
        """Return the JSON Schema, with the customer's word for each argument and inner field as its title."""
        schema = self.json_schema()
        for path, own in _properties(schema, ""):
            if label := self.argument_label(path, locale):
                own["title"] = label
        return schema


def _properties(schema: Mapping[str, Any], before: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the path and the schema of each field, including those inside objects and lists of objects."""
    for name, own in schema.get("properties", {}).items():
        yield f"{before}{name}", own
        yield from _properties(own.get("items", own), f"{before}{name}.")


HAND_OVER: Final = "hand_over"  # key in a look-up's answer: the message for the person who takes over the chat
CARDS: Final = "cards"  # key in a look-up's answer: records to show as cards, which a model does not read


class ReadAction(Action):
    """A look-up inside a turn; nothing changes, so there is no card."""

    risk = Risk.READ
    has_cards: bool = False  # whether its answers contain records to show as cards

    @abstractmethod
    def look_up(self, entered: Arguments, identity: Identity, requests: Requests) -> Sequence[Any] | Reason:
        """Return the customer's own records, or why there are none to show. Counts each request it makes. Raises
        MerchantUnavailable, or what counting raises.
        """

    @abstractmethod
    def answer(self, found: Sequence[Any], unsettled: Sequence[Unsettled], locale: str) -> dict[str, Any] | Reason:
        """Return what the customer may see of these records and of their requests about them, as JSON."""

    @abstractmethod
    def words(self, answer: Mapping[str, Any], locale: str) -> str:
        """Return an answer as sentences for the customer."""


class WriteAction(Action):
    """An action that changes one record of the customer, its subject. Actions on orders derive from `OrderAction`."""

    subject_kind: str
    done: str = ""  # the title of its receipt, such as "Order cancelled": a message of the customers' catalogues
    outcome: OutcomeKind = OutcomeKind.STATUS_LOOKUP
    may_ask_approval: bool = False  # whether `wants_approval` is ever true
    approvals: int = 1  # number of people, if the action itself requires approval
    approval_role: str = ""  # the role that, like admins, may decide; "" for anyone with the right on the policy
    undo: Undo | None = None

    def done_in(self, locale: str) -> str:
        """Return the title of the action's receipt, which says what was done."""
        return (
            text_in(locale, self.done) if self.done else text_in(locale, "Done: {title}", title=self.title_in(locale))
        )

    @abstractmethod
    def gather(self, entered: Arguments, identity: Identity) -> Records | Reason:
        """Return the records that the action depends on, or the reason why this customer has none. Someone else's
        record and a missing one give the same reason. Raises MerchantUnavailable or NotConnected.
        """

    @abstractmethod
    def no_records(self, arguments: Arguments) -> Reason:
        """Return the reason to give when nothing can be looked up because the customer was erased."""

    @abstractmethod
    def subject(self, arguments: Arguments, records: Records | None) -> Subject:
        """Return the subject as the merchant spells it. If `records` is None, it is taken from the arguments alone."""

    @abstractmethod
    def complete(self, entered: Arguments, records: Records) -> Terms | Reason:
        """Return the complete terms, or the reason why the intent makes no sense for these records. Raises
        InvalidArguments for a value that is invalid for these records.
        """

    @abstractmethod
    def obstacle(self, arguments: Arguments, facts: Facts) -> Reason | None:
        """Return why the action is not allowed now, or None if it is. Called at proposal, at confirmation and right
        before the call.
        """

    def early_obstacle(self, given: Arguments, identity: Identity) -> Reason | None:
        """Return why the customer's record rules out this action whatever the required arguments are that are still
        missing; None if it does not, or if that cannot be told yet. Raises MerchantUnavailable or NotConnected.
        """
        return None

    def is_applicable(self, record: Any) -> bool:
        """Return whether a record's state allows this action at all; customers choose only from such records."""
        return True

    def is_as_shown(
        self, arguments: Arguments, records: Records, *, subject: Subject, shown: Mapping[str, Any]
    ) -> bool:
        """Return whether these records still lead to what the card showed. Called only if there is no obstacle."""
        return self.subject(arguments, records) == subject

    def wants_approval(self, arguments: Arguments, records: Records) -> bool:
        """Return whether the action itself requires a person's approval, whatever the amount."""
        return False

    def undo_arguments(
        self, arguments: Arguments, receipt: Mapping[str, Any], identity: Identity
    ) -> Mapping[str, Any] | None:
        """Return the arguments for the `undo` action; None means this action's arguments of the same names. Raises
        CannotUndo.
        """
        return None

    @abstractmethod
    def back_end(self, arguments: Arguments, locale: str) -> BackEnd:
        """Return the system that runs the command and reports its outcome, with texts for the customer in this locale.
        Raises NotConnected.
        """

    @abstractmethod
    def command(self, arguments: Arguments, records: Records, *, key: str) -> Any | Reason:
        """Return the command in the back end's terms, or the reason why there is none."""

    @abstractmethod
    def command_as_json(self, command: Any) -> dict[str, Any]:
        """Return the command as JSON that `command_from_json` reads. Actions that are safe to replay store it."""

    @abstractmethod
    def command_from_json(self, sent: dict[str, Any], *, seconds: float) -> Any:
        """Return the stored command, with this time-out if the back end's deadline can be changed."""

    @abstractmethod
    def card(self, arguments: Arguments, shown: Mapping[str, Any], locale: str) -> Card: ...

    @abstractmethod
    def receipt(self, arguments: Arguments, result: Mapping[str, Any]) -> dict[str, Any]:
        """Return the part of the merchant's answer to store: short texts only."""

    def receipt_rows(self, receipt: Mapping[str, Any], locale: str) -> list[Row]:
        """Return a stored receipt with the action's own labels; empty to use the standard labels."""
        return []


def money_of(arguments: Arguments) -> Money:
    """Return the amount in complete arguments."""
    return Money(Decimal(arguments["amount"]), arguments["currency"])


def formatted_amount(arguments: Arguments, locale: str) -> str:
    return format_money(money_of(arguments), locale)


_IN_AMOUNTS: Final = "\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}"  # spaces that do not count as printable


def short(value: object, limit: int = 120) -> str:
    """Return a merchant's text for a receipt: printable and of limited length, or "" if it is not a string."""
    if not isinstance(value, str):
        return ""
    return "".join(char for char in value if char.isprintable() or char in _IN_AMOUNTS)[:limit]
