"""What the record asks the room above it: does a customer's message concern the people?

The setting `CHAT_FRONT_DESK` names who is asked, so that this room knows nothing of tickets.
"""

from typing import Protocol, cast

from django.conf import settings
from django.utils.module_loading import import_string

from supportbot.chat.models import Conversation


class FrontDesk(Protocol):
    def __call__(self, conversation: Conversation, seq: int) -> None:
        """Hear of the message at `seq` of a customer whom no person answers; the conversation is locked."""


def front_desk() -> FrontDesk:
    return cast(FrontDesk, import_string(settings.CHAT_FRONT_DESK))
