"""One refund from the wish to what the customer was told, and the points at which something may break into it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pkgutil import resolve_name
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import DatabaseError, InterfaceError, connection

from actions import execution, services, sweeping
from actions.audit import verify
from actions.errors import NotWaiting
from actions.execution import MAX_ATTEMPTS
from actions.models import ActionRequest, LedgerEntry
from actions.principals import Principal
from actions.states import State
from actions.testing import FakeShop, ProcessDied, Refund, make_due, run_queued
from supportbot.chat.models import ConversationEvent
from supportbot.outbox.models import Announcement
from supportbot.outbox.services import deliver_due
from tests.actions.conftest import REFUND

# In the order of the story: what is called, and on which side of it the fault lies. Where a call is made inside a
# transaction, "after" it means that its work is done and not committed.
POINTS: Final = {
    "before the proposal is committed": ("actions.proposing._store", "after"),
    "after the proposal, before its answer": ("actions.services.propose", "after"),
    "before the confirmation is committed": ("actions.services.move", "after"),
    "after the confirmation, before the wake-up": ("actions.services.confirm", "after"),
    "before the claim is committed": ("actions.execution.move", "after"),
    "after the claim, before the order is read": ("actions.execution._carry_out", "before"),
    "before the mark of sending is committed": ("actions.execution._holds", "after"),
    "after the mark, before the call": ("actions.testing.FakeShop.run", "before"),
    "after the call, before its result": ("actions.testing.FakeShop.run", "after"),
    "before the result is committed": ("actions.execution.succeed", "after"),
    "after the result, before the message is acknowledged": ("actions.execution.settle", "after"),
    "before the telling is committed": ("supportbot.assistant.receivers._tell", "after"),
}
LOST: Final = (ProcessDied, DatabaseError, InterfaceError)


@contextmanager
def fault_at(point: str, strike: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Let `strike` happen once, at this point; the list it yields tells whether it has."""
    path, side = POINTS[point]
    real, struck = resolve_name(path), list[str]()

    def once() -> None:
        if not struck:
            struck.append(point)
            strike()

    def faulty(*args: Any, **more: Any) -> Any:
        if side == "before":
            once()
        result = real(*args, **more)
        if side == "after":
            once()
        return result

    with monkeypatch.context() as patched:
        patched.setattr(path, faulty)
        yield struck


@dataclass
class Story:
    """Alice, her chat, and the client that sends again what nobody acknowledged."""

    principal: Principal
    shop: FakeShop
    conversation_id: UUID
    request_id: UUID | None = None
    lost: int = 0

    def live(self) -> None:
        """Go through the whole story; where a step is lost, time passes and it is taken again."""
        for step in (self.wish, self.click, self.work, self.hear):
            self.until_done(step)

    def until_done(self, step: Callable[[], None]) -> None:
        try:
            step()
        except LOST:
            self.lost += 1
            if not connection.is_usable():
                connection.close()
            step()

    def wish(self) -> None:
        card = services.propose(
            self.principal, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=self.conversation_id
        )
        self.request_id = card.pk

    def click(self) -> None:
        try:
            services.confirm(self.request.pk, principal=self.principal, digest=self.request.digest)
        except NotWaiting:  # the earlier click had arrived after all
            assert self.request.state == State.QUEUED

    def work(self) -> None:
        """Let a worker take the message, and the clock and the sweep do the rest."""
        execution.execute(self.request.pk)
        for _ in range(MAX_ATTEMPTS):
            make_due()
            sweeping.sweep()
            run_queued()

    def hear(self) -> None:
        """Let the relay deliver, and take up once more what failed."""
        for _ in range(2):
            Announcement.objects.filter(delivered_at=None).update(due_at="2000-01-01T00:00:00Z")
            deliver_due()

    @property
    def request(self) -> ActionRequest:
        return ActionRequest.objects.get(pk=self.request_id) if self.request_id else ActionRequest.objects.get()

    def told(self) -> list[str]:
        rows = ConversationEvent.objects.filter(conversation_id=self.conversation_id).order_by("seq")
        return list(rows.values_list("event", flat=True))

    def click_and_expect(self, state: State, reason: str) -> None:
        self.click()
        assert (self.request.state, self.request.reason_code) == (state, reason)
        assert self.shop.refunds == []

    def assert_nothing_done(self, state: State, reason: str) -> None:
        """Nothing moved, and the customer was told so, and why."""
        assert (self.request.state, self.request.reason_code) == (state, reason)
        assert self.shop.refunds == []
        assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED
        assert self.told() == ["action.proposed", "action.queued", f"action.{state}", "assistant.final"]
        assert verify().is_whole

    def assert_told_well(self) -> None:
        """One effect, one receipt, one entry in the books, one line in the chat for each state; the audit is whole."""
        request = self.request
        assert self.shop.refunds == [Refund("A-1001", Decimal("49.90"), "EUR")]
        assert self.shop.refunds[0].key == str(request.pk)
        assert (request.state, (request.receipt or {}).get("reference")) == (State.SUCCEEDED, "RF-1")
        assert LedgerEntry.objects.get().status == LedgerEntry.Status.SPENT
        assert self.told() == ["action.proposed", "action.queued", "action.succeeded", "assistant.final"]
        assert not Announcement.objects.filter(delivered_at=None).exists()
        assert verify().is_whole
