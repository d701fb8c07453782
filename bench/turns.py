"""One turn as seen by the customer's client, and whether it was complete. Pure."""

import re
from dataclasses import dataclass, field
from typing import Any, Final

from bench.schedule import SCHEDULE

_MARKER: Final = re.compile(r"\s*\[\d+\]")


@dataclass
class Turn:
    """One turn; times are from the monotonic clock. `problems` is empty for a complete answer that arrived once."""

    sent_at: float
    first_text_at: float = 0.0
    done_at: float = 0.0
    frames: int = 0
    deltas: int = 0
    citations: int = 0
    text: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def added_first_ms(self) -> float:
        return (self.first_text_at - self.sent_at - SCHEDULE.due(0)) * 1000

    @property
    def added_whole_ms(self) -> float:
        return (self.done_at - self.sent_at - SCHEDULE.seconds) * 1000

    def take_delta(self, frame: dict[str, Any], at: float) -> None:
        """Add a piece of text; pieces are numbered from 0 without gaps."""
        if frame["index"] != self.deltas:
            self.problems.append("lost delta" if frame["index"] > self.deltas else "doubled delta")
        self.first_text_at = self.first_text_at or at
        self.deltas += 1
        self.text += frame["text"]

    def finish(self, at: float, final_text: str | None = None) -> None:
        """End the turn; `final_text` is what the product stored and finally shows."""
        self.done_at = at
        if not self.deltas:
            self.problems.append("no text before the end")
        if final_text is not None and final_text.strip() != self.text.strip():
            self.problems.append("final text differs from the deltas")
        if len(_MARKER.sub("", self.text).split()) != SCHEDULE.tokens:
            self.problems.append("words missing or doubled")
