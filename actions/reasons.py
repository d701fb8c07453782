"""Why an action does not proceed: a code for machines, and one sentence for the customer in their language."""

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from django.utils.translation import gettext

from actions.deferred_text import DeferredText, Value, from_json, translated
from actions.money import Money, format_money, parse_amount
from supportbot.errors import InvalidInput
from supportbot.formats import country_name
from supportbot.language.normalise import visible
from supportbot.translation import in_locale, msgid, nmsgid, ntext_in, text_in


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an action does not proceed. `facts` fill the sentence's placeholders; they come from rows or from a
    colleague, never from a model.

    With a `currency`, `left` and `pending` are amounts as written by `money.format_amount`; `country` is a country
    code. The sentence shows them in the reader's format.
    """

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)


_SENTENCES: Final[dict[str, str]] = {
    "action_disabled": msgid("This is not available at the moment."),
    "shadow_mode": msgid("This is still being tested and is not available yet."),
    "identity_required": msgid("I can only do this for customers who are signed in."),
    "order_not_found": msgid("There is no order {order} in your account."),
    "not_delivered": msgid("Order {order} has not been delivered yet, so it cannot be refunded."),
    "order_returned": msgid(
        "Order {order} has been returned, so it cannot be refunded here. A colleague can look into it."
    ),
    "already_refunded": msgid("Order {order} has already been refunded in full."),
    "order_cost_nothing": msgid("Order {order} cost nothing, so there is nothing to refund."),
    "items_cost_nothing": msgid("The chosen part of order {order} cost nothing, so there is nothing to refund."),
    "amount_above_remaining": msgid("At most {left} can still be refunded on order {order}."),
    "refund_requested": msgid(
        "A refund of {pending} for order {order} has already been requested, so nothing more can be refunded at the "
        "moment."
    ),
    "amount_above_unrequested": msgid(
        "A refund of {pending} for order {order} has already been requested, so at most {left} more can be refunded at "
        "the moment."
    ),
    "item_not_in_order": msgid("Order {order} does not have that many {sku} left to refund."),
    "order_cancelled": msgid("Order {order} has been cancelled."),
    "already_shipped": msgid("Order {order} has already left the warehouse, so this can no longer be changed."),
    "other_country": msgid("Order {order} can only be sent to an address in {country}."),
    "same_address": msgid("Order {order} is already going to this address."),
    "terms_changed": msgid("Order {order} has changed since you saw this, so nothing was done."),
    "limit_order": msgid("This would exceed the refund limit for one order. A colleague can look into it."),
    "limit_customer_day": msgid("This would exceed today's limit for your account. A colleague can look into it."),
    "limit_customer_year": msgid("This would exceed the limit for your account. A colleague can look into it."),
    "limit_workspace_day": msgid(
        "This would exceed today's limit for requests like this. A colleague can look into it."
    ),
    "limit_count_day": msgid("You have reached the daily limit for requests like this. A colleague can look into it."),
    "declined": msgid("You declined this. Nothing was done."),
    "withdrawn": msgid("The request was withdrawn before it was carried out. Nothing was done."),
    "superseded": msgid("A newer card in another chat has replaced this one."),
    "replaced": msgid("A newer card for the same order has replaced this one."),
    "replaced_card": msgid("A newer card has replaced this one."),
    "not_confirmed": msgid("You did not confirm in time, so nothing was done."),
    "not_approved": msgid("Nobody decided in time, so nothing was done."),
    "policy_changed": msgid("The rules for this have changed since you saw it, so nothing was done."),
    "undo_too_late": msgid("It is too late to undo this. Nothing was done."),
    "rejected": msgid("A member of our team reviewed the request and declined it. Nothing was done."),
    "rejected_with_words": msgid(
        "A member of our team reviewed the request and declined it: {words} Nothing was done."
    ),
    "merchant_refused": msgid("Our system refused the request: {message} Nothing was done."),
    "not_carried_out": msgid("Our system could not be reached. Nothing was done."),
    "outcome_unknown": msgid(
        "Our system did not respond in time. We are checking whether the request went through. It cannot be "
        "carried out twice."
    ),
    "in_progress": msgid("Our system is still working on it. We will tell you here when it is done."),
    "approval_needed": msgid("This now needs a colleague's approval, so nothing was done. Please ask again."),
    "limit_subject": msgid("This would exceed the limit. A colleague can look into it."),
    "outcome_with_person": msgid(
        "Our system did not respond. A colleague will find out whether the request went through. It will not be "
        "sent again."
    ),
    "too_many_lookups": msgid("You have reached the hourly limit for look-ups. Please try again later."),
    "record_not_found": msgid("There is no such record in your account."),
    "choice_not_offered": msgid("This choice is no longer available. Please ask again and choose another one."),
    "record_changed": msgid("This has changed since you saw it, so nothing was done."),
    "subject_busy": msgid(
        "Another request for this is still in progress, so nothing was done. Please ask again later."
    ),
    "definition_failed": msgid("This cannot be decided automatically at the moment. A colleague can look into it."),
    "settled_happened": msgid("A colleague has checked: the request went through."),
    "settled_did_not": msgid("A colleague has checked: the request did not go through. Nothing was done."),
}
_OUTSIDE_WINDOW: Final = nmsgid(
    "Order {order} was delivered more than {days} day ago, so it can no longer be refunded.",
    "Order {order} was delivered more than {days} days ago, so it can no longer be refunded.",
)
CODES: Final = frozenset({*_SENTENCES, "outside_window"})
FAILED: Final = "definition_failed"
PLACE_TEXT: Final = "place_text"  # a fact of FAILED: the place as a deferred text in JSON
MAX_PLACE: Final = 200  # characters of the place in English, and of each value of the deferred text
WORDS: Final = "words."  # facts of a defined action's refusal: its sentence by locale
SETTLED: Final = ("settled_happened", "settled_did_not")
MAX_CHARACTERS: Final = 500  # characters of a colleague's reason


def rejection(*, words: str, note: str) -> Reason:
    """Return a team member's reason for a rejection: the customer reads `words`; `note` is for the team only.

    Either may be empty. Raises InvalidInput, naming `words` or `note`, for text that is too long or not printable.
    """
    texts = {"words": _end_sentence(one_line("words", words)), "note": one_line("note", note)}
    facts = {name: text for name, text in texts.items() if text}
    return Reason("rejected_with_words" if "words" in facts else "rejected", facts)


def settlement(*, happened: bool, note: str) -> Reason:
    """Return a team member's finding about an unclear outcome; `note` is for the team only. Raises InvalidInput."""
    line = one_line("note", note)
    return Reason(SETTLED[0] if happened else SETTLED[1], {"note": line} if line else {})


def one_line(field: str, text: str) -> str:
    """Return a colleague's text on one line; raises InvalidInput for one that is too long or not printable."""
    line = " ".join(visible(text).split())
    if len(line) > MAX_CHARACTERS:
        raise InvalidInput(
            fields={field: [gettext("At most {max_characters} characters.").format(max_characters=MAX_CHARACTERS)]}
        )
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in line):
        raise InvalidInput(fields={field: [gettext("Remove the control characters.")]})
    return line


def _end_sentence(line: str) -> str:
    """Return text as a complete sentence, since another one follows."""
    bare = line.rstrip(" ,;:")
    return f"{bare}." if bare and bare.rstrip("\"'”“’)")[-1:] not in (".", "!", "?", "…") else bare


def failed_at(where: str) -> Reason:
    """Return the reason for a definition that failed at this place. The facts are in English, since they are stored and
    logged; those of a deferred text can be shown in other languages by `failure_text`.
    """
    facts = {PLACE_TEXT: json.dumps(_shortened(where).as_json())} if isinstance(where, DeferredText) else {}
    return Reason(FAILED, {"place": where[:MAX_PLACE], **facts})


def _shortened(text: DeferredText) -> DeferredText:
    """Return a deferred text whose values, including those of the texts in it, have at most MAX_PLACE characters."""
    return DeferredText(text.message, **{name: _shortened_value(value) for name, value in text.values.items()})


def _shortened_value(value: Value) -> Value:
    if isinstance(value, DeferredText):
        return _shortened(value)
    return value[:MAX_PLACE] if isinstance(value, str) else value


def failure_text(facts: Mapping[str, str]) -> str:
    """Return where a definition failed, in the active language; `facts` are those of a `failed_at` reason. Returns ""
    if the place is unknown.
    """
    if PLACE_TEXT not in facts:
        return facts.get("place", "")
    return translated(from_json(json.loads(facts[PLACE_TEXT])))


def place_of(reason: Reason | None) -> dict[str, str]:
    """Return, for the audit trail, where in its definition an action failed. The audit trail is never erased, so the
    place reveals nothing about the records except kinds of values and currencies.
    """
    return {"place": reason.facts["place"]} if reason is not None and reason.code == FAILED else {}


def needs_facts(code: str) -> bool:
    """Return whether the sentence for a code has placeholders for facts."""
    return "{" in _SENTENCES.get(code, "{")


def sentence(reason: Reason, locale: str) -> str:
    """Return the reason in the customer's language, or in English if there is no translation."""
    own = {name.removeprefix(WORDS): text for name, text in reason.facts.items() if name.startswith(WORDS)}
    if own:
        return in_locale(own, locale)
    facts = FactsOrDash(_localized(reason.facts, locale))
    if reason.code == "outside_window":
        days = int(facts["days"]) if facts["days"].isdecimal() else 0
        return ntext_in(locale, *_OUTSIDE_WINDOW, days, order=facts["order"], days=facts["days"])
    # An unknown code belongs to a defined action whose words were erased.
    return text_in(locale, _SENTENCES.get(reason.code, _SENTENCES[FAILED])).format_map(facts)


def _localized(facts: Mapping[str, str], locale: str) -> Mapping[str, str]:
    amounts = {name: parse_amount(facts[name]) for name in ("left", "pending") if facts.keys() >= {name, "currency"}}
    shown = {
        name: format_money(Money(amount, facts["currency"]), locale)
        for name, amount in amounts.items()
        if amount is not None
    }
    if "country" in facts:
        shown["country"] = country_name(facts["country"], locale)
    return {**facts, **shown}


class FactsOrDash(dict[str, str]):
    """Facts that show a dash instead of raising an error if an older row lacks one."""

    def __missing__(self, key: str) -> str:
        return "–"
