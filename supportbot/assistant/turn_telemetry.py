"""Telemetry of an answer for operators: its metrics, and a log line with its phases and ids."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Counter

from supportbot.chat.answers import Answer
from supportbot.chat.turns import Claim
from supportbot.observing import span_descriptions, tracing
from supportbot.observing.logs import Event, log_event
from supportbot.observing.metrics import TURN_SECONDS, TURNS

# Labels are only codes, never text.
WITHHELD = Counter("supportbot_withheld_total", "Sentences of answers that a check withheld", ["code"])
UNCONFIRMED = Counter("supportbot_unconfirmed_answers_total", "Answers that the articles do not confirm")
SECOND_TRIES = Counter("supportbot_second_tries_total", "Answers retried by a model after the checks rejected them")


class Phases:
    """Seconds by phase. A nested phase pauses the outer one, so that no time is counted twice."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: list[str] = []
        self._since = self.began

    @contextmanager
    def during(self, phase: str) -> Iterator[None]:
        self._book()
        self._open.append(phase)
        try:
            with tracing.span(span_descriptions.phase(phase)):
                yield
        finally:
            self._book()
            self._open.pop()

    def mark(self, phase: str) -> None:
        """Record the time until now as this phase, unless it has already been recorded."""
        self.seconds.setdefault(phase, time.monotonic() - self.began)

    def _book(self) -> None:
        now = time.monotonic()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


class TurnReport:
    """The report on one claim. The outcome is `failed` unless set otherwise; `phases` is filled as the work proceeds.

    The phases are `queue`, `search`, `model`, `tools`, `check` and `store`, and also `first_text` and `total`, both
    measured from the claim. `queue` is the time from the message to the claim or, if the turn was claimed when its
    message arrived, to the start of the turn.
    """

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self.phases = Phases()
        self.phases.seconds["queue"] = claim.waited_seconds
        self.outcome, self.by, self.code, self.route = "failed", "nobody", "", ""

    def settle(self, answer: Answer) -> None:
        self.by = answer.by
        self.outcome = "stopped" if answer.is_stopped else "not_found" if answer.is_abstention else "answered"
        for one in answer.withheld:
            WITHHELD.labels(one.code).inc()
        if answer.is_confirmed is False:
            UNCONFIRMED.inc()

    def record(self, attempt: int) -> None:
        """Count the answer and write its log line."""
        seconds = {**self.phases.seconds, "total": time.monotonic() - self.phases.began}
        TURNS.labels(self.outcome, self.by).inc()
        for phase, value in seconds.items():
            TURN_SECONDS.labels(phase).observe(value)
        tracing.describe_current(span_descriptions.ended_turn(self.outcome, self.by, self.code, attempt))
        # The logging context adds the ids of the turn, the conversation and the workspace.
        log_event(
            Event.ANSWER,
            outcome=self.outcome,
            by=self.by,
            code=self.code or None,
            route=self.route or None,
            attempt=attempt,
            **{f"{phase}_seconds": value for phase, value in seconds.items()},
        )
