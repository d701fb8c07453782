"""The pace of the model server, known to both ends, so the reader can tell how much delay was added in between."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Schedule:
    """The pace of one answer: the delay of the first token after the request, and the steady rate of the others."""

    first_token_seconds: float = 0.2
    tokens: int = 100
    tokens_per_second: float = 50.0

    def due(self, token: int) -> float:
        """Return when a token (counted from 0) leaves the server, in seconds after the request."""
        return self.first_token_seconds + token / self.tokens_per_second

    @property
    def seconds(self) -> float:
        return self.due(self.tokens - 1)


SCHEDULE = Schedule()
