"""A tool call on its way: where it stands in the turn, and what it came to."""

from dataclasses import dataclass
from uuid import UUID

from supportbot.chat.turns import Claim


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a turn a call stands. Counted by us: providers repeat the ids of their calls."""

    claim: Claim
    step: int
    position: int
    language: str

    @property
    def key(self) -> str:
        return f"{key_prefix(self.claim.turn_id)}{self.step}:{self.position}"


def key_prefix(turn_id: UUID) -> str:
    """Return what the proposal keys of a turn begin with."""
    return f"turn:{turn_id}:"


@dataclass(frozen=True, slots=True)
class ToolResult:
    """What a call came to. `for_model` goes back to the model; `closing` ends the turn with these words of ours.

    `told` says in our words what was looked up; it is the answer if nothing better comes. `looked_up` is every text
    that was found: an answer may rest on it.
    """

    for_model: str
    closing: str = ""
    offers_human: bool = False
    told: str = ""
    looked_up: str = ""
