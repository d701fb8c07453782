"""Tool calls: their position in the turn, and their results."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from supportbot.chat.turns import Claim


@dataclass(frozen=True, slots=True)
class Place:
    """The position of a call in its turn. Calls are counted here because providers reuse call ids."""

    claim: Claim
    step: int
    position: int
    locale: str

    @property
    def key(self) -> str:
        return f"{key_prefix(self.claim.turn_id)}{self.step}:{self.position}"


def key_prefix(turn_id: UUID) -> str:
    """Return the prefix of the proposal keys of a turn."""
    return f"turn:{turn_id}:"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """The result of a call. `for_model` is returned to the model; `closing`, our own text, ends the turn. `summary` is
    our own text about a look-up, which becomes the answer if the model adds nothing. `looked_up` contains all texts
    found, which an answer may rely on. `cards` contains the records to show with the answer. `hand_over` is the summary
    for a person if the call hands the conversation over.
    """

    for_model: str
    closing: str = ""
    offers_human: bool = False
    summary: str = ""
    looked_up: str = ""
    cards: tuple[Mapping[str, Any], ...] = ()
    hand_over: str = ""
