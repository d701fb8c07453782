"""Conversations past their retention, and the clock of the night in which they are erased."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import Customer
from supportbot.chat import retention
from supportbot.chat.models import Conversation, Message
from supportbot.chat.services import start_conversation
from supportbot.llm.models import LLMBody, LLMCall

OLD = timedelta(days=40)


def silent(age: timedelta = OLD) -> Conversation:
    made = start_conversation(Customer.objects.create().pk)
    Message.objects.create(conversation=made, seq=9, source="customer", text="Thanks")
    Conversation.objects.filter(pk=made.pk).update(last_event_at=now() - age)
    return made


def in_batches_of(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MANY", "FEW"):
        monkeypatch.setattr(retention, name, count)


def left() -> set[Any]:
    return set(Conversation.objects.values_list("pk", flat=True))


@dataclass
class Clock:
    """The clock of a night: a pause takes no time, and each erasure takes as long as the test says."""

    patch: pytest.MonkeyPatch
    at: float = 0.0
    paused: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.patch.setattr(retention, "time", self)

    def monotonic(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.paused.append(seconds)

    def erasing_takes(self, *seconds: float) -> None:
        """Set how long each batch takes; the last value counts for all further batches."""
        erase, waits = retention._erase, list(seconds)

        def slowly(*args: Any) -> int:
            self.at += waits.pop(0) if len(waits) > 1 else waits[0]
            return erase(*args)

        self.patch.setattr(retention, "_erase", slowly)


def old_body(days: int = 6) -> None:
    call = LLMCall.objects.create(
        purpose="answer", provider="p", model="m", duration_ms=1, outcome="done", started_at=now() - timedelta(days)
    )
    LLMBody.objects.create(call=call, request="x", expires_at=now() + timedelta(days=9))
