"""The hook that tells the room above about a customer's message.

The setting `CHAT_ON_CUSTOMER_MESSAGE` names the function, so that this room does not depend on tickets.
"""

from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from supportbot.chat.models import Conversation


class OnCustomerMessage(Protocol):
    def __call__(self, conversation: Conversation, seq: int) -> None:
        """Handle the message at `seq` of a customer whom no person answers; the conversation is locked."""


def on_customer_message() -> OnCustomerMessage:
    """Return the hook that the settings name."""
    path = getattr(settings, "CHAT_FRONT_DESK", settings.CHAT_ON_CUSTOMER_MESSAGE)  # the old name, until 0.3
    return cast(OnCustomerMessage, import_string(path))
