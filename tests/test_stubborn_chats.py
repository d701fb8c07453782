"""How the benchmark of kills counts lost and doubled answers."""

from typing import Any

import pytest

from bench.stubborn_chats import unanswered_and_repeated


def log_of(steps: str) -> list[dict[str, Any]]:
    """Return a log with a customer's message for each m, an agent's for a, an answer for f, a failed one for x."""
    names = {"m": "message", "a": "message", "f": "assistant.final", "x": "assistant.failed"}
    return [{"event": names[step], "payload": {"source": "customer" if step == "m" else "agent"}} for step in steps]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("", (0, 0)),
        ("mfmxmf", (0, 0)),
        ("mfm", (1, 0)),
        ("mmf", (1, 0)),
        ("mffmf", (0, 1)),
        ("mffm", (1, 1)),  # as many answers as messages
        ("mmff", (1, 1)),
        ("maf", (0, 0)),
    ],
)
def test_a_lost_answer_is_counted_next_to_a_doubled_one(steps: str, expected: tuple[int, int]) -> None:
    assert unanswered_and_repeated(log_of(steps)) == expected
