"""The assistant's own texts in all its languages. They are short, plain and honest."""

from typing import Final, Literal

from supportbot.translation import msgid, text_in

Phrase = Literal[
    "not_found", "busy", "reading", "searching", "to_person", "still_working",
    "unconfirmed", "left_out",
    "withdrawn", "withdrawn_request", "cannot_undo", "none_of_yours", "nothing_to_undo",
    "confirm", "confirm_above", "awaits_approval", "under_way", "already_confirmed", "shop_silent",
]  # fmt: skip

_TEXTS: Final[dict[Phrase, str]] = {
    "not_found": msgid(
        "I could not find this in our help pages, so I would rather not guess. Would you like to talk to a person?"
    ),
    "busy": msgid("Many customers are asking right now. Your answer will come in a moment."),
    "reading": msgid("Reading “{title}”"),
    "searching": msgid("Looking through our help pages"),
    "to_person": msgid("I am passing this on to a person."),
    "still_working": msgid("This is taking longer than usual"),
    "confirm": msgid("Please check the card. Nothing happens until you confirm."),
    "confirm_above": msgid("The card for this is further up in the chat. Nothing happens until you confirm it there."),
    "awaits_approval": msgid("A colleague still has to decide on this. Nothing happens before then."),
    "under_way": msgid("This request is already under way, so nothing new was started."),
    "already_confirmed": msgid("You have already confirmed the earlier card, so no new one was prepared."),
    "shop_silent": msgid(
        "Our system is not responding at the moment, so I cannot look anything up or prepare anything. "
        "Please try again in a few minutes."
    ),
    "unconfirmed": msgid("Our help pages do not confirm this answer. A person can check it for you."),
    "left_out": msgid("(left out: our help pages do not say this)"),
    "withdrawn": msgid("All right, I have withdrawn the card. Nothing was done."),
    "withdrawn_request": msgid("All right, I have withdrawn the request. Nothing was done."),
    "none_of_yours": msgid("I found nothing of yours that this could be about. Would you like to talk to a person?"),
    "cannot_undo": msgid("I cannot undo this here. Would you like to talk to a person?"),
    "nothing_to_undo": msgid("I have done nothing in this chat that I could undo. Would you like to talk to a person?"),
}


def say(phrase: Phrase, language: str, /, **values: str) -> str:
    """Return a phrase in the language, or in English if there is no translation."""
    return text_in(language, _TEXTS[phrase], **values)
