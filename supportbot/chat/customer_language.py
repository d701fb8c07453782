"""Finds the language in which the customer of a conversation writes: notices use it, whatever the page's language."""

from typing import Final

from django.db.models.functions import Left

from supportbot.builtin.intents import language_in
from supportbot.chat.models import Conversation, Message, Source
from supportbot.language.detection import base_language, detect
from supportbot.language.normalise import normalised

# The newest messages that are read, and how much of each is enough to detect a language.
MAX_TEXTS: Final = 20
MAX_TEXT_CHARACTERS: Final = 300


def detected_language(text: str, locale: str) -> str:
    """Return the text's language; the given locale if it matches or the text is inconclusive."""
    known = base_language(locale)
    found = detect(text, known)
    return found if found != known else locale


def customer_language(conversation: Conversation) -> str:
    """Return the language of a customer's latest message, as answers detect it (`language_in`), as a code or locale; by
    default, the page's.
    """
    messages = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER).order_by("-seq")
    texts = list(messages.values_list(Left("text", MAX_TEXT_CHARACTERS), flat=True)[:MAX_TEXTS])
    if not texts:
        return conversation.locale
    known = base_language(conversation.locale)
    latest, *earlier = texts
    found = language_in(normalised(latest), normalised("\n".join(earlier[::-1])), known)
    return found if found != known else conversation.locale
