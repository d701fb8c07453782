"""The parts of a definition, parsed and checked. `parsing` makes them from JSON."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any

from actions.argument_types import Field, Shape, Text
from actions.definitions.bodies import Body
from actions.definitions.expressions.expression import Expression
from actions.definitions.expressions.template import Fields, PathTemplate, Template
from actions.spec import Risk

Texts = Mapping[str, str]  # by locale
Words = Mapping[str, Template]  # by locale


class Kind(StrEnum):
    READ = "read"
    WRITE = "write"


class Origin(StrEnum):
    """The sources of an argument's value."""

    CUSTOMER = "customer"  # the model may pass what the customer said
    MODEL = "model"  # the model may choose it
    SERVER = "server"  # computed from records
    IDENTITY = "identity"  # the signed identity


class OutcomeKind(StrEnum):
    """What to do if it is unknown whether a call took effect."""

    STATUS_LOOKUP = "status_lookup"  # ask by its key; never send again before the answer is "never seen"
    REPLAY_SAFE = "replay_safe"  # send again with the same key
    AT_MOST_ONCE = "at_most_once"  # a person decides; never send again


@dataclass(frozen=True, slots=True)
class RecordChoice:
    """How a customer chooses a value from their own records: each entry of `list` is called `element`, `value` is the
    value that it stands for, and `words` describe it to the customer.
    """

    list: Expression
    element: str
    value: Expression
    words: Words


@dataclass(frozen=True, slots=True)
class Argument:
    name: str
    accepts: Field
    origin: Origin
    is_required: bool
    value: Expression | None = None  # the value, if it comes from the server or the identity
    labels: Mapping[str, Texts] = field(default_factory=dict)  # labels of the options of a choice or a list of choices
    label: Texts = field(default_factory=dict)  # what customers read instead of the name
    names_no_record: bool = False  # the author states that it is only the customer's own words
    # Labels for the fields inside it, by path: "street", or "guest.name".
    inner_label: Mapping[str, Texts] = field(default_factory=dict)
    inner_labels: Mapping[str, Mapping[str, Texts]] = field(default_factory=dict)
    # The first and the last allowed day of a date; the expressions can use `today` and `now`.
    earliest: Expression | None = None
    latest: Expression | None = None
    choose_from: RecordChoice | None = None

    @property
    def is_from_chat(self) -> bool:
        """Whether any words from the chat are a valid value. This is so for free text that the model writes and that
        names no record.
        """
        is_free = isinstance(self.accepts, Text) and not self.accepts.pattern
        return self.origin is Origin.MODEL and self.names_no_record and is_free


@dataclass(frozen=True, slots=True)
class CallTemplate:
    method: str
    path: PathTemplate
    query: Fields
    headers: Fields
    body: Body | None
    key_header: str = ""
    tool: str = ""  # an MCP server's tool, instead of method and path; `body` contains its arguments
    schema_hash: str = ""  # the tool's fingerprint when it was reviewed
    # The author states that the system need not know the customer: neither they nor a record of theirs is named.
    names_no_customer: bool = False

    def named_paths(self) -> Iterator[tuple[str, frozenset[tuple[str, ...]]]]:
        """Yield, for each value of query, headers and body, the name it is sent under and the paths it reads."""
        yield from self.query.named_paths()
        yield from self.headers.named_paths()
        yield from self.body.named_paths() if self.body else ()

    def paths(self) -> frozenset[tuple[str, ...]]:
        body = self.body.paths() if self.body else frozenset()
        return self.path.paths() | self.query.paths() | self.headers.paths() | body


@dataclass(frozen=True, slots=True)
class Refusal:
    """A code for machines and a sentence for the customer."""

    code: str
    words: Words


@dataclass(frozen=True, slots=True)
class Lookup:
    """A record that is loaded before anything is decided. With `for_each`, it is a list with one record per element."""

    name: str
    call: CallTemplate
    owner: Expression | None
    is_public: bool
    absent: frozenset[int]
    otherwise: Refusal | None
    for_each: Expression | None = None
    element: str = ""
    at_most: int = 20


@dataclass(frozen=True, slots=True)
class Subject:
    kind: str
    id: Expression


@dataclass(frozen=True, slots=True)
class Guard:
    name: str
    require: Expression
    refusal: Refusal


@dataclass(frozen=True, slots=True)
class MoneyRule:
    amount: Expression
    currency: Expression


@dataclass(frozen=True, slots=True)
class AnswerRule:
    """The rules for reading a response. If neither `happened` nor `did_not` holds, the outcome is unclear."""

    happened: Expression
    did_not: Expression
    reason: Expression | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    kind: OutcomeKind
    call: CallTemplate | None = None
    happened: Expression | None = None
    did_not: Expression | None = None
    never_seen: Expression | None = None
    in_progress: Expression | None = None  # without it, an answer never says that the system is still working


@dataclass(frozen=True, slots=True)
class LabelledValue:
    """One labelled value of a card, receipt or result, or a sentence instead; hidden if a value is null or absent."""

    name: str
    label: Texts
    value: Expression | None
    words: Words = field(default_factory=dict)
    labels: Mapping[str, Texts] = field(default_factory=dict)  # for its values, if they have labels


@dataclass(frozen=True, slots=True)
class CardTemplate:
    title: Words
    summary: Words
    button: Words
    rows: Sequence[LabelledValue]


@dataclass(frozen=True, slots=True)
class RecordCard:
    """The card of a record that was looked up; link and picture are fields of the record, on these hosts only."""

    title: Words
    hosts: frozenset[str]
    link: Expression | None = None
    picture: Expression | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The values that a look-up shows the customer. With `each`, the fields are read for `at_most` elements of that
    list.
    """

    fields: Sequence[LabelledValue]
    words: Words
    each: Expression | None = None
    element: str = ""
    at_most: int = 20
    card: RecordCard | None = None
    hand_over: Template | None = None  # a message to the person who takes over the conversation


@dataclass(frozen=True, slots=True)
class Approval:
    when: Expression | None
    role: str
    approvers: int


@dataclass(frozen=True, slots=True)
class Undo:
    """The action that undoes this one, how long it is offered, and its arguments; None means arguments of the same
    name.
    """

    action: str
    arguments: Mapping[str, Expression] | None
    within_hours: int


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of an action, complete."""

    name: str
    kind: Kind
    risk: Risk
    title: Texts
    description: Texts
    examples: Mapping[str, Sequence[str]]
    connection: str
    arguments: Mapping[str, Argument]
    lookups: Sequence[Lookup]
    values: Mapping[str, Expression]  # named parts of rules, evaluated when they are read
    guards: Sequence[Guard]
    limits: Mapping[str, Decimal | int]
    subject: Subject | None = None
    money: MoneyRule | None = None
    call: CallTemplate | None = None
    answer: AnswerRule | None = None
    outcome: Outcome | None = None
    card: CardTemplate | None = None
    receipt: Sequence[LabelledValue] = ()
    done: Texts = field(default_factory=dict)  # the title of the receipt; empty for the standard title
    done_words: Words = field(default_factory=dict)  # the sentence after success; empty for the standard one
    result: Result | None = None
    for_visitors: bool = False  # the author lets visitors who are not signed in use this look-up
    approval: Approval | None = None
    undo: Undo | None = None
    document: Mapping[str, Any] = field(default_factory=dict)

    def shape(self) -> Shape:
        """Return the arguments that a customer or a model may pass, without those from the server or the identity.

        Arguments that find a record come first, so they are asked for first. The database does not keep the order of
        names.
        """
        open_ones = [one for one in self.arguments.values() if one.origin in (Origin.CUSTOMER, Origin.MODEL)]
        sought = {path for lookup in self.lookups for path in lookup.call.paths()}
        open_ones.sort(key=lambda one: ("arguments", one.name) not in {path[:2] for path in sought})
        return Shape(
            required={one.name: one.accepts for one in open_ones if one.is_required},
            optional={one.name: one.accepts for one in open_ones if not one.is_required},
        )
