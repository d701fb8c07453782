"""A tool's answer, independent of the protocol."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from supportbot.errors import SupportBotError


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A page where the customer confirms a request. Some clients can open it for them."""

    request_id: UUID
    message: str
    url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a tool: `text` for people, and for models that do not read JSON; `content` for programs."""

    text: str
    content: Mapping[str, Any]
    is_error: bool = False
    confirmation: Confirmation | None = None


def refused(error: SupportBotError) -> Answer:
    """Return a refusal as a tool's result, so that the agent sees the reason and can correct its call."""
    fields = "".join(f" {name}: {' '.join(problems)}" for name, problems in error.fields.items())
    content = {"code": error.code, "message": error.message, "fields": error.fields}
    return Answer(f"{error.message}{fields}", content, is_error=True)
