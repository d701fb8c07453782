"""One refund from the proposal to the customer's notice, and the points at which a fault can be injected."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pkgutil import resolve_name
from typing import Any, Final
from uuid import UUID

import pytest
from django.db import DatabaseError, InterfaceError, connection

from actions import services
from actions.audit import verify
from actions.errors import NotWaiting
from actions.models import ActionRequest, LedgerEntry
from actions.principals import Principal
from actions.requests import execution, sweeps
from actions.requests.execution import MAX_ATTEMPTS
from actions.states import State
from actions.testing import FakeShop, ProcessDied, Refund, make_due, run_queued
from supportbot.chat.models import ConversationEvent
from supportbot.outbox.delivery import deliver_due
from supportbot.outbox.models import Announcement
from tests.actions.conftest import REFUND
from tests.actions.rounds import rounds

# In the order of the flow: the function, and on which side of its call the fault happens. If the call runs inside a
# transaction, "after" means that its work is done but not committed.
POINTS: Final = {
    "before the proposal is committed": ("actions.requests.proposing._store", "after"),
    "after the proposal, before its answer": ("actions.services.propose", "after"),
    "before the confirmation is committed": ("actions.services.transition", "after"),
    "after the confirmation, before the wake-up": ("actions.services.confirm", "after"),
    "before the claim is committed": ("actions.requests.execution.transition", "after"),
    "after the claim, before the order is read": ("actions.requests.execution._run_attempt", "before"),
    "before the mark of sending is committed": ("actions.requests.execution._holds_lease", "after"),
    "after the mark, before the call": ("actions.testing.FakeShop.run", "before"),
    "after the call, before its result": ("actions.testing.FakeShop.run", "after"),
    "before the result is committed": ("actions.requests.execution.succeed", "after"),
    "after the result, before the message is acknowledged": ("actions.requests.execution.settle", "after"),
    "before the report is committed": ("supportbot.assistant.outbox_consumers._record", "after"),
}
LOST: Final = (ProcessDied, DatabaseError, InterfaceError)


@contextmanager
def fault_at(point: str, strike: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Call `strike` once, at this point; the yielded list is empty until then."""
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
class RefundFlow:
    """Alice, her chat, and a client that repeats whatever was not acknowledged."""

    principal: Principal
    shop: FakeShop
    conversation_id: UUID
    request_id: UUID | None = None
    lost: int = 0

    def run(self) -> None:
        """Run the whole flow, repeating any step that is lost."""
        for step in (self.propose, self.confirm, self.process, self.deliver):
            self.retry_if_lost(step)

    def retry_if_lost(self, step: Callable[[], None]) -> None:
        try:
            step()
        except LOST:
            self.lost += 1
            if not connection.is_usable():
                connection.close()
            step()

    def propose(self) -> None:
        card = services.propose(
            self.principal, "refund_order", REFUND, proposal_key="turn:1:1", conversation_id=self.conversation_id
        )
        self.request_id = card.pk

    def confirm(self) -> None:
        try:
            services.confirm(self.request.pk, principal=self.principal, digest=self.request.digest)
        except NotWaiting:  # the earlier confirmation had arrived after all
            assert self.request.state == State.QUEUED

    def process(self) -> None:
        """Let a worker take the message, and sweeps do the rest as time passes."""
        execution.execute(self.request.pk)
        for _ in rounds(MAX_ATTEMPTS):
            make_due()
            sweeps.sweep()
            run_queued()

    def deliver(self) -> None:
        """Let the relay deliver the announcements, and retry once those that failed."""
        for _ in range(2):
            Announcement.objects.filter(delivered_at=None).update(due_at="2000-01-01T00:00:00Z")
            deliver_due()

    @property
    def request(self) -> ActionRequest:
        return ActionRequest.objects.get(pk=self.request_id) if self.request_id else ActionRequest.objects.get()

    def events(self) -> list[str]:
        rows = ConversationEvent.objects.filter(conversation_id=self.conversation_id).order_by("seq")
        return list(rows.values_list("event", flat=True))

    def confirm_and_expect(self, state: State, reason: str) -> None:
        self.confirm()
        assert (self.request.state, self.request.reason_code) == (state, reason)
        assert self.shop.refunds == []

    def assert_nothing_done(self, state: State, reason: str) -> None:
        """Assert that nothing moved, and that the customer was informed with the reason."""
        assert (self.request.state, self.request.reason_code) == (state, reason)
        assert self.shop.refunds == []
        assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED
        assert self.events() == ["action.proposed", "action.queued", f"action.{state}", "assistant.final"]
        assert verify().is_whole

    def assert_paid_once(self) -> None:
        """Assert one effect, one receipt, one ledger entry, one chat event per state, and an intact audit chain."""
        request = self.request
        assert self.shop.refunds == [Refund("A-1001", Decimal("49.90"), "EUR")]
        assert self.shop.refunds[0].key == str(request.pk)
        assert (request.state, (request.receipt or {}).get("reference")) == (State.SUCCEEDED, "RF-1")
        assert LedgerEntry.objects.get().status == LedgerEntry.Status.SPENT
        assert self.events() == ["action.proposed", "action.queued", "action.succeeded", "assistant.final"]
        assert not Announcement.objects.filter(delivered_at=None).exists()
        assert verify().is_whole
