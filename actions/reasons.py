"""Why an action does not go on: a code for machines, and one sentence for the customer in their language."""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from actions.money import Money, amount_of, spoken
from supportbot.errors import InvalidInput
from supportbot.language.normalise import visible


@dataclass(frozen=True, slots=True)
class Reason:
    """`facts` fill the sentence's gaps; they are texts made from rows or a colleague's, never a model's words.

    `left` beside a `currency` is an amount as `money.plain` writes it: the sentence has it as its reader does.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


_SENTENCES: Final[dict[str, tuple[str, str]]] = {
    "action_disabled": (
        "This is switched off at the moment.",
        "Das ist zurzeit abgeschaltet.",
    ),
    "shadow_mode": (
        "This is being tried out and is not carried out yet.",
        "Das wird noch erprobt und nicht ausgeführt.",
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
        "Order {order} has already been paid back in full.",
        "Die Bestellung {order} wurde bereits vollständig erstattet.",
    ),
    "amount_above_remaining": (
        "At most {left} can still be refunded on order {order}.",
        "Auf die Bestellung {order} können höchstens noch {left} erstattet werden.",
    ),
    "item_not_in_order": (
        "Order {order} has no {sku} left to refund in that number.",
        "In der Bestellung {order} ist {sku} in dieser Anzahl nicht mehr zu erstatten.",
    ),
    "order_cancelled": (
        "Order {order} is cancelled.",
        "Die Bestellung {order} ist storniert.",
    ),
    "already_shipped": (
        "Order {order} has left the warehouse, so this can no longer be changed.",
        "Die Bestellung {order} hat das Lager verlassen, deshalb lässt sich das nicht mehr ändern.",
    ),
    "other_country": (
        "Order {order} can only go to another address in {country}.",
        "Die Bestellung {order} kann nur an eine andere Adresse in {country} gehen.",
    ),
    "same_address": (
        "Order {order} already goes to this address.",
        "Die Bestellung {order} geht bereits an diese Adresse.",
    ),
    "terms_changed": (
        "Order {order} has changed since this was shown, so nothing was done.",
        "Die Bestellung {order} hat sich seitdem geändert, deshalb wurde nichts getan.",
    ),
    "limit_order": (
        "The limit for refunds on one order is reached; a colleague can look at it.",
        "Die Grenze für eine Bestellung ist erreicht; eine Kollegin oder ein Kollege kann es sich ansehen.",
    ),
    "limit_customer_day": (
        "Today's limit for your account is reached; a colleague can look at it.",
        "Die heutige Grenze für Ihr Konto ist erreicht; eine Kollegin oder ein Kollege kann es sich ansehen.",
    ),
    "limit_customer_year": (
        "The limit for your account is reached; a colleague can look at it.",
        "Die Grenze für Ihr Konto ist erreicht; eine Kollegin oder ein Kollege kann es sich ansehen.",
    ),
    "limit_workspace_day": (
        "I cannot do this today any more; a colleague can look at it.",
        "Das kann ich heute nicht mehr tun; eine Kollegin oder ein Kollege kann es sich ansehen.",
    ),
    "limit_count_day": (
        "You have asked for this as often as one can in a day; a colleague can look at it.",
        "Mehr davon geht an einem Tag nicht; eine Kollegin oder ein Kollege kann es sich ansehen.",
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
        "A newer card in another chat replaced this one.",
        "Eine neuere Karte in einem anderen Chat hat diese ersetzt.",
    ),
    "replaced": (
        "A newer card for the same order replaced this one.",
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
        "The rules for this have changed since it was shown, so nothing was done.",
        "Die Regeln dafür haben sich seitdem geändert, deshalb wurde nichts getan.",
    ),
    "rejected": (
        "A colleague looked at it and decided against it. Nothing was done.",
        "Eine Kollegin oder ein Kollege hat es geprüft und abgelehnt. Es wurde nichts getan.",
    ),
    "rejected_with_words": (
        "A colleague looked at it and decided against it: {words} Nothing was done.",
        "Eine Kollegin oder ein Kollege hat es geprüft und abgelehnt: {words} Es wurde nichts getan.",
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
        "The shop's system did not answer in time. We keep asking whether it went through; it cannot happen twice.",
        "Das System des Shops antwortet nicht rechtzeitig. Wir fragen weiter nach; doppelt kann es nicht geschehen.",
    ),
}  # fmt: skip
CODES: Final = frozenset(_SENTENCES)
MOST_CHARACTERS: Final = 500  # of what a colleague gives as their reason


def rejection(*, words: str, note: str) -> Reason:
    """Return why somebody of the team said no: `words` are in the sentence that the customer reads, `note` is not.

    Either may be empty. Raises InvalidInput, naming `words` or `note`, for what is too long or cannot be read.
    """
    told = {"words": _finished(_one_line("words", words)), "note": _one_line("note", note)}
    facts = {name: text for name, text in told.items() if text}
    return Reason("rejected_with_words" if "words" in facts else "rejected", facts)


def _one_line(field: str, text: str) -> str:
    line = " ".join(visible(text).split())
    if len(line) > MOST_CHARACTERS:
        raise InvalidInput(fields={field: [f"At most {MOST_CHARACTERS} characters."]})
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in line):
        raise InvalidInput(fields={field: ["It holds signs that cannot be read."]})
    return line


def _finished(line: str) -> str:
    """Return words as a sentence of its own, for another one follows."""
    bare = line.rstrip(" ,;:")
    return f"{bare}." if bare and bare.rstrip("\"'”“’)")[-1:] not in (".", "!", "?", "…") else bare


def sentence(reason: Reason, locale: str) -> str:
    """Return the reason in the customer's language, in English where there is no translation."""
    english, german = _SENTENCES[reason.code]
    return (german if locale.startswith("de") else english).format_map(_Gaps(_spoken(reason.facts, locale)))


def _spoken(facts: Mapping[str, str], locale: str) -> Mapping[str, str]:
    amount = amount_of(facts["left"]) if facts.keys() >= {"left", "currency"} else None
    return facts if amount is None else {**facts, "left": spoken(Money(amount, facts["currency"]), locale)}


class _Gaps(dict[str, str]):
    """A fact that an older row does not have leaves a dash, not an error."""

    def __missing__(self, key: str) -> str:
        return "–"
