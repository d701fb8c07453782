"""Why an action does not proceed: a code for machines, and one sentence for the customer in their language."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from actions.money import Money, format_money, parse_amount
from supportbot.errors import InvalidInput
from supportbot.language.normalise import visible


@dataclass(frozen=True, slots=True)
class Reason:
    """`facts` fill the sentence's placeholders; they come from rows or from a colleague, never from a model.

    `left` next to a `currency` is an amount as `money.format_amount` writes it; the sentence shows it in the reader's
    format.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "action_disabled": (
        "This is not available at the moment.",
        "Das ist zurzeit nicht verfügbar.",
    ),
    "shadow_mode": (
        "This is still being tested and is not available yet.",
        "Das wird noch getestet und steht noch nicht zur Verfügung.",
    ),
    "identity_required": (
        "I can only do this for customers who are signed in.",
        "Das kann ich nur für angemeldete Kundinnen und Kunden tun.",
    ),
    "order_not_found": (
        "There is no order {order} in your account.",
        "In Ihrem Konto gibt es keine Bestellung {order}.",
    ),
    "not_delivered": (
        "Order {order} has not been delivered yet, so it cannot be refunded.",
        "Die Bestellung {order} wurde noch nicht geliefert und kann deshalb nicht erstattet werden.",
    ),
    "outside_window": (
        "Order {order} was delivered more than {days} days ago, so it can no longer be refunded.",
        "Die Bestellung {order} wurde vor mehr als {days} Tagen geliefert und kann nicht mehr erstattet werden.",
    ),
    "already_refunded": (
        "Order {order} has already been refunded in full.",
        "Die Bestellung {order} wurde bereits vollständig erstattet.",
    ),
    "amount_above_remaining": (
        "At most {left} can still be refunded on order {order}.",
        "Auf die Bestellung {order} können höchstens noch {left} erstattet werden.",
    ),
    "item_not_in_order": (
        "Order {order} does not have that many of {sku} left to refund.",
        "In der Bestellung {order} kann {sku} in dieser Anzahl nicht mehr erstattet werden.",
    ),
    "order_cancelled": (
        "Order {order} has been cancelled.",
        "Die Bestellung {order} wurde storniert.",
    ),
    "already_shipped": (
        "Order {order} has already left the warehouse, so this can no longer be changed.",
        "Die Bestellung {order} hat das Lager verlassen, deshalb lässt sich das nicht mehr ändern.",
    ),
    "other_country": (
        "Order {order} can only be sent to another address in {country}.",
        "Die Bestellung {order} kann nur an eine andere Adresse in {country} geliefert werden.",
    ),
    "same_address": (
        "Order {order} is already going to this address.",
        "Die Bestellung {order} wird bereits an diese Adresse geliefert.",
    ),
    "terms_changed": (
        "Order {order} has changed since you saw this, so nothing was done.",
        "Die Bestellung {order} hat sich seitdem geändert, deshalb wurde nichts getan.",
    ),
    "limit_order": (
        "The refund limit for one order has been reached. A colleague can look into it.",
        "Der Höchstbetrag für eine Bestellung ist erreicht. Jemand aus dem Team kann sich das ansehen.",
    ),
    "limit_customer_day": (
        "Today's limit for your account has been reached. A colleague can look into it.",
        "Der heutige Höchstbetrag für Ihr Konto ist erreicht. Jemand aus dem Team kann sich das ansehen.",
    ),
    "limit_customer_year": (
        "The limit for your account has been reached. A colleague can look into it.",
        "Der Höchstbetrag für Ihr Konto ist erreicht. Jemand aus dem Team kann sich das ansehen.",
    ),
    "limit_workspace_day": (
        "I can't do any more of these today. A colleague can look into it.",
        "Das kann ich heute nicht mehr tun. Jemand aus dem Team kann sich das ansehen.",
    ),
    "limit_count_day": (
        "You have reached the number of these requests per day. A colleague can look into it.",
        "Mehr Anfragen dieser Art sind an einem Tag nicht möglich. Jemand aus dem Team kann sich das ansehen.",
    ),
    "declined": (
        "You decided against it. Nothing was done.",
        "Sie haben sich dagegen entschieden. Es wurde nichts getan.",
    ),
    "withdrawn": (
        "It was withdrawn before it was carried out. Nothing was done.",
        "Es wurde zurückgezogen, bevor es ausgeführt wurde. Es wurde nichts getan.",
    ),
    "superseded": (
        "A newer card in another chat has replaced this one.",
        "Eine neuere Karte in einem anderen Chat hat diese ersetzt.",
    ),
    "replaced": (
        "A newer card for the same order has replaced this one.",
        "Eine neuere Karte für dieselbe Bestellung hat diese ersetzt.",
    ),
    "not_confirmed": (
        "You did not confirm in time, so nothing was done.",
        "Sie haben nicht rechtzeitig bestätigt, deshalb wurde nichts getan.",
    ),
    "not_approved": (
        "Nobody decided in time, so nothing was done.",
        "Niemand hat rechtzeitig entschieden, deshalb wurde nichts getan.",
    ),
    "policy_changed": (
        "The rules for this have changed since you saw it, so nothing was done.",
        "Die Regeln dafür haben sich seitdem geändert, deshalb wurde nichts getan.",
    ),
    "rejected": (
        "A colleague reviewed it and declined. Nothing was done.",
        "Unser Team hat es geprüft und abgelehnt. Es wurde nichts getan.",
    ),
    "rejected_with_words": (
        "A colleague reviewed it and declined: {words} Nothing was done.",
        "Unser Team hat es geprüft und abgelehnt: {words} Es wurde nichts getan.",
    ),
    "merchant_refused": (
        "The shop's system refused it: {message} Nothing was done.",
        "Das System des Shops hat es abgelehnt: {message} Es wurde nichts getan.",
    ),
    "not_carried_out": (
        "The shop's system could not be reached. Nothing was done.",
        "Das System des Shops war nicht erreichbar. Es wurde nichts getan.",
    ),
    "outcome_unknown": (
        "The shop's system did not answer in time. We are checking whether it went through. It cannot happen twice.",
        "Das System des Shops hat nicht rechtzeitig geantwortet. Wir prüfen, ob es geklappt hat. Doppelt kann es nicht "
        "geschehen.",
    ),
}  # fmt: skip
CODES: Final = frozenset(_SENTENCES)
MAX_CHARACTERS: Final = 500  # of a colleague's reason


def rejection(*, words: str, note: str) -> Reason:
    """Return a team member's reason to reject: the customer reads `words`; `note` is for the team only.

    Either may be empty. Raises InvalidInput, naming `words` or `note`, for text that is too long or not printable.
    """
    texts = {"words": _end_sentence(_one_line("words", words)), "note": _one_line("note", note)}
    facts = {name: text for name, text in texts.items() if text}
    return Reason("rejected_with_words" if "words" in facts else "rejected", facts)


def _one_line(field: str, text: str) -> str:
    line = " ".join(visible(text).split())
    if len(line) > MAX_CHARACTERS:
        raise InvalidInput(fields={field: [f"At most {MAX_CHARACTERS} characters."]})
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in line):
        raise InvalidInput(fields={field: ["Remove the control characters."]})
    return line


def _end_sentence(line: str) -> str:
    """Return text as a complete sentence, since another one follows."""
    bare = line.rstrip(" ,;:")
    return f"{bare}." if bare and bare.rstrip("\"'”“’)")[-1:] not in (".", "!", "?", "…") else bare


def sentence(reason: Reason, locale: str) -> str:
    """Return the reason in the customer's language, or in English if there is no translation."""
    english, german = _SENTENCES[reason.code]
    return (german if locale.startswith("de") else english).format_map(_FactsOrDash(_localized(reason.facts, locale)))


def _localized(facts: Mapping[str, str], locale: str) -> Mapping[str, str]:
    amount = parse_amount(facts["left"]) if facts.keys() >= {"left", "currency"} else None
    return facts if amount is None else {**facts, "left": format_money(Money(amount, facts["currency"]), locale)}


class _FactsOrDash(dict[str, str]):
    """Facts that show a dash, not an error, if an older row lacks one."""

    def __missing__(self, key: str) -> str:
        return "–"
