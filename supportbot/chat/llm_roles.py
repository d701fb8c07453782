"""The role that a language model sees for the author of a chat message."""

from typing import Final

from supportbot.chat.models import Source
from supportbot.llm.types import Role

# Agents speak for the shop, like the assistant. System messages are left out.
ROLES: Final[dict[Source, Role]] = {
    Source.CUSTOMER: "user",
    Source.ASSISTANT: "assistant",
    Source.AGENT: "assistant",
}
