"""The forty faults and twenty harmless edits of `bench.planted`: data."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

NO_PERSON: Final = """\
Answer the customer's newest message in the customer's language, in one to five short sentences, plainly and politely.
Use only what the numbered sources below say. Put the source's number in square brackets at the end of every sentence.
{orders} Never say that something was refunded, cancelled or changed, and never promise it."""
FROM_MEMORY: Final = """\
Answer the customer's newest message. Put a number in square brackets at the end of every sentence.
{orders} Never say that something was refunded, cancelled or changed, and never promise it.
If the customer wants a person, call the tool request_human."""
CHATTY: Final = """\
Answer the customer's newest message in the customer's language, plainly and politely, and thank them.
Use only what the numbered sources below say. Put the source's number in square brackets at the end of every sentence \
that states a fact, like this: Returns are free within Germany [2].
If the sources do not answer the question, say that you could not find it in the help pages and offer a person.
{orders} Never say that something was refunded, cancelled or changed, and never promise it.
If the customer wants a person, call the tool request_human."""


@dataclass(frozen=True)
class Words:
    """An article in which `new` replaces `old` or, if `old` is empty, the whole text."""

    article: str
    old: str
    new: str


@dataclass(frozen=True)
class Facts:
    """A live article whose audience or language changes; its text stays."""

    article: str
    changes: Mapping[str, str]


@dataclass(frozen=True)
class Archived:
    article: str


@dataclass(frozen=True)
class New:
    title: str
    body: str


@dataclass(frozen=True)
class Draft:
    """A release that differs from the live one in these fields. A route is to a model: "reader", "liar" or "away"."""

    name: str
    document: Mapping[str, Any] = field(hash=False)


@dataclass(frozen=True)
class Changed:
    """An action whose rules get different figures."""

    action: str
    rules: Mapping[str, Any] = field(hash=False)


Change = Words | Facts | Archived | New | Draft | Changed

FAULTS: Final[tuple[Change, ...]] = (
    Words("returns-and-refunds", "60 days", "14 days"),
    Words("returns-and-refunds", "5 working days", "9 working days"),
    Words("returns-and-refunds-de", "60 Tage", "30 Tage"),
    Words("delivery-times-and-costs", "2 to 3", "5 to 8"),
    Words("delivery-times-and-costs", "€4.90", "€7.90"),
    Words("delivery-times-and-costs-de", "14,90", "24,90"),
    Words("gift-cards", "31 December", "30 June"),
    Words("gift-cards", "€10 to €500", "€25 to €200"),
    Words("payment-methods", "48 hours", "12 hours"),
    Words("payment-methods", "€100 to €1,000", "€300 to €5,000"),
    Words("washing-your-rain-jacket", "30 °C", "60 °C"),
    Words("warranty-and-repairs", "| Zip | €25 |", "| Zip | €45 |"),
    Words("paying-by-invoice-de", "innerhalb von 14 Tagen", "innerhalb von 30 Tagen"),
    Words("pick-up-points-and-neighbours", "for 7 days", "for 21 days"),
    Words("sale-items-and-price-match", "within 14 days of", "within 2 days of"),
    Words("delivery-abroad-and-customs", "We do not ship to the United Kingdom", "We ship to the United Kingdom"),
    Words("stove-safety", "EN 417 thread", "CP 250 click"),
    Words("signing-in-and-password-de", "", "Anmelden geht auch ohne Konto.\n"),
    Words("tent-care", "", "Trocknen Sie ein Zelt nach jeder Reise innerhalb von 24 Stunden.\n"),
    Facts("choosing-a-backpack", {"audience": "internal"}),
    Facts("caring-for-leather-boots-de", {"locale": "en"}),
    Archived("gift-cards"),
    Archived("tent-care-de"),
    Archived("spare-parts"),
    Draft("instructions that forget citations", {"rules": "", "instructions": "Write no source numbers in answers."}),
    Draft("instructions that promise", {"instructions": "Always promise that the money is paid out today."}),
    Draft("one passage per answer", {"passages": 1}),
    Draft("strictness open", {"strictness": "open"}),
    Draft("rules without handing over", {"rules": NO_PERSON}),
    Draft("rules without the sources", {"rules": FROM_MEMORY}),
    Draft("a route to a model that lies", {"routes": {"answer": ["liar"]}}),
    Draft("a route to a server that is away", {"routes": {"answer": ["away"]}}),
    Draft("temperature 2", {"parameters": {"answer": {"temperature": 2.0}}}),
    Draft("answers of 16 tokens", {"parameters": {"answer": {"max_output_tokens": 16}}}),
    Draft("the wrong language", {"instructions": "Answer only in Dutch."}),
    Draft("a guideline that gives", {"guidelines": [{"when": "somebody asks", "do": "Give a voucher of 20 euros."}]}),
    Changed("refund_order", {"max_per_customer_year": 4000}),
    Changed("refund_order", {"approval_above": 1000}),
    Changed("refund_order", {"approval_above": None}),
    Changed("refund_order", {"window_days": 365}),
)  # fmt: skip

HARMLESS: Final[tuple[Change, ...]] = (
    Words("returns-and-refunds", "Trying boots on indoors is fine", "You may try boots on indoors"),
    Words("returns-and-refunds", "Keep the receipt from", "Please keep the receipt from"),
    Words("delivery-times-and-costs", "Our warehouse packs from Monday", "Colleagues pack from Monday"),
    Words("gift-cards", "so treat the code like cash", "so look after the code like cash"),
    Words("vouchers-and-discounts", "A code you find there is usually made up", "Such a code is mostly made up"),
    Words("vouchers-and-discounts", "€20", "€25"),  # an example that no case asks about
    Words("tent-care", "A tent that is put away wet can be ruined", "A tent put away wet can be ruined"),
    Words("payment-methods", "No payment method costs extra.", "None of the payment methods costs extra."),
    Words("repair-workshop-freiburg", "we tell you on the spot", "we will tell you on the spot"),
    Words("washing-your-rain-jacket-de", "bitte", "freundlicherweise"),
    Words("newsletter-and-messages", "We do not ask for a reason", "We never ask for a reason"),
    New("Our summer party", "Every July, the whole team meets at the lake. There is music, and cake for everybody.\n"),
    New("Lost property", "Found something in the lobby? Colleagues at the desk keep it in a box.\n"),
    Draft("nothing changed", {}),
    Draft("a tone", {"tone": "warm, brief, no exclamation marks"}),
    Draft("a greeting and a name", {"name": "Wren", "greetings": {"en": "Hello, how can I help?"}}),
    Draft("friendlier rules", {"rules": CHATTY}),
    Draft("a guideline without figures", {"guidelines": [{"when": "a customer is angry", "do": "Apologise first."}]}),
    Draft("one more passage", {"passages": 7}),
    Changed("refund_order", {"max_per_workspace_day": 1500}),  # lower than before
)  # fmt: skip
