"""What the record asks the room above it: does somebody take back a conversation whose customer writes on?

The setting `CHAT_FRONT_DESK` names who is asked, so that this room knows nothing of tickets.
"""

from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from supportbot.chat.models import Conversation


class FrontDesk(Protocol):
    def __call__(self, conversation: Conversation, seq: int) -> None:
        """Hear of the customer's message at `seq` before the assistant does; the conversation is locked."""


def front_desk() -> FrontDesk:
    return cast(FrontDesk, import_string(settings.CHAT_FRONT_DESK))
