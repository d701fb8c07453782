"""What a model is told of who spoke."""

from typing import Final

from supportbot.chat.models import Source
from supportbot.llm.types import Role

# A colleague speaks for the shop, as the assistant does; notices of the system are nobody's turn.
ROLES: Final[dict[Source, Role]] = {
    Source.CUSTOMER: "user",
    Source.ASSISTANT: "assistant",
    Source.AGENT: "assistant",
}
