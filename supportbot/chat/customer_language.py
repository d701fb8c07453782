"""Finds the language that a conversation's customer writes in. Notices use it, whatever the page's language."""

from typing import Final

from django.db.models.functions import Left

from supportbot.builtin.intents import language_in
from supportbot.chat.models import Conversation, Message, Source
from supportbot.formats import in_region
from supportbot.language.detection import base_language, detect
from supportbot.language.normalise import normalised

# The newest messages that are read, and how much of each is enough to detect a language.
MAX_TEXTS: Final = 20
MAX_TEXT_CHARACTERS: Final = 300


def detected_language(text: str, locale: str) -> str:
    """Return the text's language, or the given locale if it is in that language or if detection is inconclusive."""
    return in_region(detect(text, base_language(locale)), locale)


def customer_language(conversation: Conversation) -> str:
    """Return the language of the customer's latest message as a code or locale, detected the same way as for answers
    (`language_in`). Defaults to the page's language.
    """
    messages = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER).order_by("-seq")
    texts = list(messages.values_list(Left("text", MAX_TEXT_CHARACTERS), flat=True)[:MAX_TEXTS])
    if not texts:
        return conversation.locale
    known = base_language(conversation.locale)
    latest, *earlier = texts
    found = language_in(normalised(latest), normalised("\n".join(earlier[::-1])), known)
    return in_region(found, conversation.locale)
