"""Customers who confirm refunds, in this process as in a web process. Import it after `django.setup()`."""

import itertools
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now

from actions.merchant_connection import connect_merchant
from actions.models import ActionRequest
from actions.policy_store import change_rules, policy_of
from actions.principals import Principal
from actions.requests.celery_publisher import publisher
from actions.requests.sweeps import publish_due
from actions.services import confirm, propose
from actions.states import State
from bench.starts import nothing, started_within
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.embedded.child_processes import wait_until

SECRET = "whsec_YmVuY2htYXJrcyBvbmx5LCBub3RoaW5n"
PATIENCE_SECONDS = 300.0
SWEPT_SECONDS = 20.0  # after this time, requests that no worker has taken are published again
NO_LIMITS = {"max_per_customer_year": None, "max_per_workspace_day": None, "approval_above": None}


class Shopper:
    """A customer of the only workspace, who confirms refunds without limits, each for a new order."""

    def __init__(self, merchant_url: str) -> None:
        with across_workspaces("benchmark"):
            self.workspace = Workspace.objects.get()
        self.orders = itertools.count(1)
        self.committed: dict[UUID, float] = {}
        self._note_commits()
        with workspace_scope(self.workspace.pk):
            connect_merchant(merchant_url, SECRET, actor="bench")
            policy = policy_of("refund_order")
            assert policy is not None
            change_rules(policy, actor="bench", **NO_LIMITS)
            self.customer = Customer.objects.create(external_id="bench", name="Bench")

    def _note_commits(self) -> None:
        """Record when a request is enqueued, which is right after the commit and before `confirm` returns."""
        enqueue = publisher.enqueue

        def noting(workspace_id: UUID, request_id: UUID) -> None:
            self.committed[request_id] = time.time()
            enqueue(workspace_id, request_id)

        publisher.enqueue = noting  # type: ignore[method-assign]  # does not change what is measured

    def sees_worker(self, is_alive: Callable[[], bool]) -> bool:
        """Wait until a worker takes tasks, which may take minutes on a busy machine; return whether one does."""
        name, ends = uuid.uuid4().hex, self.clock() + PATIENCE_SECONDS
        nothing.delay(str(self.workspace.pk), name)
        while is_alive() and self.clock() < ends:
            if started_within(name, 1.0) is not None:
                return True
        return False

    def starts(self, count: int, seconds: float) -> tuple[list[float], list[float]]:
        """Return the milliseconds from commit to start of actions and of bare tasks, measured alternately.

        At least one of each is measured; after `seconds`, no further pair is started.
        """
        action: list[float] = []
        direct: list[float] = []
        ends = self.clock() + seconds
        with workspace_scope(self.workspace.pk):
            while len(direct) < count and (not direct or self.clock() < ends):
                action.append(self._action())
                direct.append(self._direct())
        return action, direct

    def _action(self) -> float:
        card = self._propose()
        confirm(card.pk, principal=self._principal(), digest=card.digest)
        began = (_started(str(card.pk)) - self.committed[card.pk]) * 1000
        self._until_done()
        return began

    def _direct(self) -> float:
        name = uuid.uuid4().hex
        with transaction.atomic():  # the same transaction that a caller of `delay_on_commit` would have
            Customer.objects.filter(pk=self.customer.pk).update(name=name[:8])
        committed = time.time()
        nothing.delay(str(self.workspace.pk), name)
        return (_started(name) - committed) * 1000

    def many(self, count: int, parallel: int, seconds: float) -> tuple[int, float, float]:
        """Confirm requests from several threads, and stop after `seconds`.

        Returns how many were confirmed, when the last one was confirmed, and when all had succeeded.
        """
        ends = self.clock() + seconds
        with ThreadPoolExecutor(parallel) as pool:
            made = sum(pool.map(lambda _: self._confirm_one(ends), range(count)))
        confirmed = self.clock()
        with workspace_scope(self.workspace.pk):
            self._until_done()
        return made, confirmed, self.clock()

    def _confirm_one(self, ends: float) -> bool:
        if self.clock() >= ends:
            return False
        try:
            with workspace_scope(self.workspace.pk):
                card = self._propose()
                confirm(card.pk, principal=self._principal(), digest=card.digest)
                return True
        finally:
            connection.close()

    def _propose(self) -> ActionRequest:
        arguments = {"order_id": f"B-{next(self.orders)}", "reason": "bench"}
        return propose(self._principal(), "refund_order", arguments, proposal_key=f"bench:{uuid.uuid4()}")

    def _principal(self) -> Principal:
        return Principal(
            workspace_id=self.workspace.pk, customer_id=self.customer.pk, external_id="bench", is_verified=True,
            expires_at=now() + timedelta(minutes=10),
        )  # fmt: skip

    def _until_done(self) -> None:
        unfinished = ActionRequest.objects.exclude(state=State.SUCCEEDED)
        ends = self.clock() + PATIENCE_SECONDS
        while not wait_until(lambda: not unfinished.exists(), seconds=SWEPT_SECONDS, pause=0.01):
            if self.clock() > ends:
                raise SystemExit(
                    f"Not all actions were done: {list(unfinished.values_list('state', 'reason_code'))[:5]}"
                )
            publish_due()

    def clock(self) -> float:
        return time.monotonic()


def _started(name: str) -> float:
    """Wait until a worker has started a task and return when that was.

    Tasks that no worker has taken are published again, as the product's schedule does: a message expires after a
    minute, and a busy machine may stop a worker for longer.
    """
    ends = time.monotonic() + PATIENCE_SECONDS
    while (moment := started_within(name, SWEPT_SECONDS)) is None:
        if time.monotonic() > ends:
            raise SystemExit(f"No worker took {name}.")
        publish_due()
    return moment
