"""What a customer's message means to the people, before the assistant hears of it."""

from supportbot.chat.models import Conversation
from supportbot.handoff.addresses import note_address
from supportbot.handoff.reopening import bring_person_back


def on_customer_message(conversation: Conversation, seq: int) -> None:
    """Note the address of a customer who waits; bring back the person who has just left one who does not."""
    if conversation.mode == Conversation.Mode.WAITING:
        note_address(conversation, seq)
    elif conversation.mode == Conversation.Mode.ASSISTANT:
        bring_person_back(conversation, seq)
