"""Finds the language in which a customer writes, which is used for answers, whatever the page's language."""

from typing import Final

from django.db.models.functions import Left

from supportbot.chat.models import Conversation, Message, Source
from supportbot.language.detection import base_language, detect

# The amount of text that is enough to detect a language.
MAX_TEXTS: Final = 3
MAX_TEXT_CHARACTERS: Final = 300


def detected_language(text: str, locale: str) -> str:
    """Return the text's language; the given locale if it matches or the text is inconclusive."""
    known = base_language(locale)
    found = detect(text, known)
    return found if found != known else locale


def customer_language(conversation: Conversation) -> str:
    """Return the language of a customer's latest messages as a code or locale; by default, the page's."""
    messages = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER)
    texts = messages.order_by("-seq").values_list(Left("text", MAX_TEXT_CHARACTERS), flat=True)
    return detected_language("\n".join(texts[:MAX_TEXTS]), conversation.locale)
