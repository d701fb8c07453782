"""The language a customer writes in: it is the one to answer in, whatever the language of the page."""

from typing import Final

from django.db.models.functions import Left

from supportbot.chat.models import Conversation, Message, Source
from supportbot.language.detection import base_language, detect

# Enough words to know a language by.
MAX_TEXTS: Final = 3
MAX_TEXT_CHARACTERS: Final = 300


def detected_language(text: str, locale: str) -> str:
    """Return the language of a text; the locale where it is that one already, or where the words do not say."""
    known = base_language(locale)
    found = detect(text, known)
    return found if found != known else locale


def customer_language(conversation: Conversation) -> str:
    """Return the language a customer has lately written in, as a code or locale; their page's where nothing says."""
    messages = Message.objects.filter(conversation=conversation, source=Source.CUSTOMER)
    words = messages.order_by("-seq").values_list(Left("text", MAX_TEXT_CHARACTERS), flat=True)
    return detected_language("\n".join(words[:MAX_TEXTS]), conversation.locale)
