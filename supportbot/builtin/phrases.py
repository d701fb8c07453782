"""The built-in answerer's own phrases, and the functions that recognise them in a conversation.

The phrases are short, plain and honest, and make no promise that the answerer cannot keep. About actions, they only ask
questions and refer to the card; they never say that something was done. All of them are questions or courtesies, so
they need no source. Earlier questions are remembered only by their text in the conversation. So when a question or its
translation is reworded, the former text is added to `data/former_phrases.json`.
"""

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal, get_args

from supportbot.formats import format_day_of_year
from supportbot.formats import language_name as name_of_language
from supportbot.language.sentences import QUESTIONS, sentences_of, unmarked
from supportbot.translation import in_all_languages, msgid, text_in

IntentPhrase = Literal[
    "which_of_these", "order_number", "amount", "address", "other", "choice", "sign_in", "use_card",
    "left_alone", "which_record", "meant", "date", "several", "entries", "parts", "cannot_read",
]  # fmt: skip
Courtesy = Literal[
    "greeting", "thanks", "farewell", "acknowledgement", "complaint", "unclear", "who", "can_do", "how_are_you"
]
Phrase = Literal[
    IntentPhrase, Courtesy, "only_asks", "no_reason", "offer", "not_found", "nothing_on", "foreign_page", "goes_on",
    "to_person", "no_person", "once_signed_in", "number_range", "number_from", "number_until", "day_range", "day_from",
    "day_until", "wants", "last_said", "answered", "nothing_said", "not_understood",
    "nothing_to_undo", "nothing_done", "regret", "unread", "whole_number", "cannot_take", "yes", "no", "several_parts",
    "add", "remove", "parts_in_lines", "example", "meant_look_up",
]  # fmt: skip

_PHRASES: Final[dict[Phrase, str]] = {
    "offer": msgid("Would you like to talk to a person?"),
    "not_found": msgid(
        "I could not find this in our help pages, so I would rather not guess. Would you like to talk to a person?"
    ),
    "not_understood": msgid("I did not understand that. Could you put it in other words?"),
    "nothing_to_undo": msgid("There is nothing in this chat that I can undo. Would you like to talk to a person?"),
    "nothing_done": msgid("Nothing like that was done in this chat."),
    "nothing_on": msgid("I found nothing about “{question}” in our help pages."),
    "foreign_page": msgid("Our page on this is in {language}:"),
    "goes_on": msgid("That page says more about this."),
    "to_person": msgid("I am passing this on to a person."),
    "no_person": msgid('A person can take over at any time: choose "Talk to a person".'),
    "greeting": msgid(
        "Hello. You are talking to an AI assistant that answers from our help pages. What would you like to know?"
    ),
    "thanks": msgid("You are welcome. I am an AI assistant; ask me anything else about our help pages."),
    "farewell": msgid("Goodbye. This AI assistant is here whenever you need it."),
    "acknowledgement": msgid("All right. Is there anything else you would like to know?"),
    "who": msgid(
        "I am an AI assistant. I answer by quoting our help pages word for word. A person can take over at any time."
    ),
    "can_do": msgid(
        "I answer questions from our help pages and show the page each answer comes from. When you are signed in, I "
        "can also look up your orders and prepare requests about them; nothing happens until you confirm. A person "
        "can take over at any time."
    ),
    "how_are_you": msgid(
        "I am an AI assistant, ready to look things up in our help pages. What would you like to know?"
    ),
    "regret": msgid("I am sorry about that."),
    "complaint": msgid("I am sorry about that. Would you like to talk to a person?"),
    "unclear": msgid("I am sorry to hear that. What exactly is the problem, and what happens when you try?"),
    "wants": msgid("Wants"),
    "last_said": msgid("Last said"),
    "answered": msgid("Answered"),
    "nothing_said": msgid("The customer has not written anything yet."),
    "which_of_these": msgid("Which of these orders do you mean?"),
    "which_record": msgid("Which one do you mean? Please choose: {part}."),
    "order_number": msgid("What is the order number?"),
    "amount": msgid("Which amount do you mean? Please write it in digits."),
    "address": msgid("What is the new address? Please include street and house number, postal code and city."),
    "other": msgid("Please enter: {part}."),
    "choice": msgid("Please choose: {part}. The options are: {choices}."),
    "date": msgid("Please enter a date: {part}. Write it with the year, as in {example}."),
    "several": msgid("Please choose one or more: {part}. The options are: {choices}."),
    "entries": msgid("Please enter one or more, separated by commas: {part}."),
    "parts": msgid("Please enter these details: {part}. I need: {fields}."),
    "parts_in_lines": msgid("Write each detail on its own line, beginning with its name and a colon."),
    "several_parts": msgid("Enter {minimum} to {maximum} items, with an empty line between them."),
    "add": msgid("Add another"),
    "remove": msgid("Remove"),
    "unread": msgid("I could not read that."),
    "cannot_take": msgid("I cannot accept this in the chat: {part}."),
    "whole_number": msgid("Please write a whole number from {minimum} to {maximum}."),
    "number_range": msgid("Please write a number from {minimum} to {maximum}."),
    "number_from": msgid("Please write a number that is at least {minimum}."),
    "number_until": msgid("Please write a number that is at most {maximum}."),
    "day_range": msgid("Please choose a day from {minimum} to {maximum}."),
    "day_from": msgid("Please choose a day on or after {minimum}."),
    "day_until": msgid("Please choose a day on or before {maximum}."),
    "example": msgid("For example: {example}."),
    "cannot_read": msgid("I still do not understand your answer to this: {part}."),
    "yes": msgid("Yes"),
    "no": msgid("No"),
    "sign_in": msgid("Could you sign in to your account first and then ask me again?"),
    "once_signed_in": msgid("If you sign in, I can also help with your own orders."),
    "use_card": msgid("Please use the button on the card to confirm."),
    "left_alone": msgid("All right. Is there anything else?"),
    "meant": msgid("Should I prepare this for you: “{title}”? Or would you only like to know how it works?"),
    "meant_look_up": msgid("Should I look this up for you: “{title}”? Or would you only like to know how it works?"),
    "only_asks": msgid("I only want to know how it works"),
    "no_reason": msgid("No reason given"),
}
_FORMER: Final = Path(__file__).parent / "data" / "former_phrases.json"
_REGRET: Final[tuple[Phrase, ...]] = ("regret", "complaint")
_A_PERSON_CAN_TAKE_OVER: Final[tuple[Phrase, ...]] = ("no_person", "who", "can_do")
# The labels of the parts of an address, in forms and questions.
_TITLES: Final[dict[str, str]] = {
    "line1": msgid("Street and house number"),
    "line2": msgid("Second line"),
    "postal_code": msgid("Postal code"),
    "city": msgid("City"),
    "name": msgid("Name"),
    "country": msgid("Country"),
}
# How the dates of an order are written.
_DATES: Final[dict[str, str]] = {
    "shipped_at": msgid("sent on {day}"),
    "delivered_at": msgid("delivered on {day}"),
    "expected_on": msgid("expected on {day}"),
}
_MAX_VALUE: Final = 1_000
_SHORT_WORDS: Final = 6  # maximum length of a description that serves as a field's label
# The text of the shop's look-up, which `actions.reasons` defines.
_NO_SUCH_ORDER: Final = msgid("There is no order {order} in your account.")


def say(phrase: Phrase, language: str, /, **values: str) -> str:
    """Return a phrase in `language`, or in English if it is not translated."""
    return text_in(language, _PHRASES[phrase], **values)


def language_name(of: str, language: str) -> str:
    """Return the name of the language `of` in `language`."""
    return name_of_language(of, language) or text_in(language, "another language")


def field_title(name: str, shape: Mapping[str, Any], language: str) -> str:
    """Return the label of a field. Questions put it after a colon, because it may not fit in a sentence."""
    if name in _TITLES and "title" not in shape:
        return text_in(language, _TITLES[name])
    words = _field_words(name, shape)
    return f"{words[:1].upper()}{words[1:]}"


def _field_words(name: str, shape: Mapping[str, Any]) -> str:
    """Return the field's title; without one, its description if it is short enough; otherwise, its name as words."""
    described = str(shape.get("description", "")).strip().rstrip(".")
    is_short = 0 < len(described.split()) <= _SHORT_WORDS
    return str(shape.get("title") or (described if is_short else name.replace("_", " ")))


def dated(name: str, iso: str, language: str) -> str:
    """Return a date of an order as text, such as "sent on 4 March"."""
    return text_in(language, _DATES[name], day=format_day_of_year(iso, language))


def titles_of(name: str, shape: Mapping[str, Any]) -> frozenset[str]:
    """Return the labels of a form field in all languages."""
    has_own = name in _TITLES and "title" not in shape
    return in_all_languages(_TITLES[name]) if has_own else frozenset({field_title(name, shape, "en")})


def phrase_in(text: str) -> IntentPhrase | None:
    """Return the phrase about an action that an answer from the assistant contains; None if it contains none."""
    return next(
        (phrase for phrase, patterns in _about_an_action() if any(said.search(text) for said in patterns)), None
    )


def only_asks(text: str) -> bool:
    """Return whether the text is the label of the button that says the customer was only asking."""
    return text.strip() in _in_all("only_asks")


def say_in_all_languages(phrase: Phrase) -> frozenset[str]:
    """Return the translations into all languages of a phrase that has no placeholders."""
    return _in_all(phrase)


def says_a_person_can_take_over(text: str) -> bool:
    """Return whether `text` is one of our own texts saying that a person can take over."""
    return any(text in _in_all(phrase) for phrase in _A_PERSON_CAN_TAKE_OVER)


def is_offer_of_a_person(text: str) -> bool:
    """Return whether `text` ends with the offer to talk to a person, or begins with an apology and this offer."""
    return text.rstrip().endswith(tuple(_in_all("offer"))) or text.startswith(tuple(_in_all("complaint")))


def is_unanswered_offer_of_a_person(text: str) -> bool:
    """Return whether a "yes" to `text` requests a person, because it offers one and does not end with another question,
    such as one from a page.
    """
    if not is_offer_of_a_person(text):
        return False
    end = unmarked(text).rstrip()
    return end.endswith(tuple(_in_all("offer"))) or not end.endswith(QUESTIONS)


def is_regret(text: str) -> bool:
    """Return whether `text` is only an apology, with or without an offer to hand over to a person."""
    return any(text.strip() in _in_all(phrase) for phrase in _REGRET)


def without_offer_of_a_person(text: str) -> str:
    """Return `text` without the offer to talk to a person, either at the end or after an initial apology."""
    bare = _without_end(text, "offer")
    complaint = next((said for said in _in_all("complaint") if bare.startswith(said)), "")
    return f"{_without_end(complaint, 'offer')}{bare.removeprefix(complaint)}"


def _without_end(text: str, phrase: Phrase) -> str:
    bare = text.rstrip()
    end = next((said for said in _in_all(phrase) if bare.endswith(said)), "")
    return bare.removesuffix(end).rstrip()


def says_nothing_was_found(text: str) -> bool:
    """Return whether `text` says only that our pages do not answer the question, with or without an offer to hand over
    to a person.
    """
    return text.strip() in _in_all("not_found")


def is_small_talk(text: str) -> bool:
    """Return whether `text` answers a message that asked nothing: a courtesy or a message without words."""
    return any(text in _in_all(phrase) for phrase in (*get_args(Courtesy), "not_understood", "nothing_to_undo"))


def asks_back(text: str) -> bool:
    """Return whether `text` asks the customer for a missing value of an action."""
    return phrase_in(text) is not None


def cannot_take(text: str) -> bool:
    """Return whether `text` says that an action needs a value that the chat cannot take."""
    return any(pattern.search(text) for pattern in _cannot_take())


def denies_order(text: str) -> bool:
    """Return whether `text` says that the customer has no order with the given number."""
    return any(pattern.search(text) for pattern in _no_such_order())


def is_ours(sentence: str) -> bool:
    """Return whether a sentence is one of these phrases, with any values, and therefore states no fact."""
    said = unmarked(sentence).strip()
    plain, patterns = _sentences()
    return said in plain or any(pattern.fullmatch(said) for pattern in patterns)


def _in_all(phrase: Phrase) -> frozenset[str]:
    return in_all_languages(_PHRASES[phrase]) | _former().get(phrase, frozenset())


@cache
def _former() -> Mapping[str, frozenset[str]]:
    """Return the former wordings, by phrase, which conversations may still contain. They are written with plain spaces,
    since a conversation's history is normalised.

    0.1.0 asked no such questions, so all of them are from development versions. Those that had a placeholder inside
    their sentence, before "Please enter: {part}." and the like, are left out: they match too many other sentences.
    """
    found: Mapping[str, list[str]] = json.loads(_FORMER.read_text(encoding="utf-8"))
    return {phrase: frozenset(texts) for phrase, texts in found.items()}


@cache
def _about_an_action() -> tuple[tuple[IntentPhrase, tuple[re.Pattern[str], ...]], ...]:
    phrases: tuple[IntentPhrase, ...] = get_args(IntentPhrase)
    # The question about a look-up is answered like the one about an action that changes something.
    said = {phrase: _in_all(phrase) for phrase in phrases} | {"meant": _in_all("meant") | _in_all("meant_look_up")}
    return tuple((phrase, _patterns(said[phrase])) for phrase in phrases)


@cache
def _cannot_take() -> tuple[re.Pattern[str], ...]:
    return _patterns(_in_all("cannot_take"))


@cache
def _no_such_order() -> tuple[re.Pattern[str], ...]:
    return _patterns(in_all_languages(_NO_SUCH_ORDER))


@cache
def _sentences() -> tuple[frozenset[str], tuple[re.Pattern[str], ...]]:
    """Return our own sentences: those without placeholders as texts, and those with placeholders as patterns."""
    texts = {text for phrase in _PHRASES for text in _in_all(phrase)}
    said = {unmarked(sentence).strip() for text in texts for sentence in sentences_of(text)}
    return frozenset(one for one in said if "{" not in one), _patterns(one for one in said if "{" in one)


def _patterns(texts: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """Return patterns that match these texts with any values filled in."""
    return tuple(re.compile(re.sub(r"\\\{\w+\\\}", rf"[^\\n]{{1,{_MAX_VALUE}}}?", re.escape(text))) for text in texts)
