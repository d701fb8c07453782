"""Customers who confirm refunds, in this process as in a web process. Import it after `django.setup()`."""

import itertools
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from django.db import connection, transaction
from django.utils.timezone import now

from actions.merchants import connect_merchant
from actions.models import ActionRequest
from actions.policies import change_rules, policy_of
from actions.principals import Principal
from actions.publisher import publisher
from actions.services import confirm, propose
from actions.states import State
from bench.starts import nothing, started_at
from supportbot.accounts.models import Customer, Workspace
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.embedded.processes import wait_until

SECRET = "whsec_YmVuY2htYXJrcyBvbmx5LCBub3RoaW5n"
PATIENCE_SECONDS = 300.0
NO_LIMITS = {"max_per_customer_year": None, "max_per_workspace_day": None, "approval_above": None}


class Shopper:
    """One customer of the only workspace, with as many orders as asked for and no limits."""

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
        """Note when the publisher is woken: that is right after the commit, before `confirm` returns."""
        wake = publisher.wake

        def noting(workspace_id: UUID, request_id: UUID) -> None:
            self.committed[request_id] = time.time()
            wake(workspace_id, request_id)

        publisher.wake = noting  # type: ignore[method-assign]  # does not change what is measured

    def starts(self, count: int) -> tuple[list[float], list[float]]:
        """Return milliseconds from commit to start of actions and of bare tasks, measured alternately."""
        action, direct = [], []
        with workspace_scope(self.workspace.pk):
            for _ in range(count):
                action.append(self._action())
                direct.append(self._direct())
        return action, direct

    def _action(self) -> float:
        card = self._propose()
        confirm(card.pk, principal=self._principal(), digest=card.digest)
        began = (started_at(str(card.pk)) - self.committed[card.pk]) * 1000
        self._until_done()
        return began

    def _direct(self) -> float:
        name = uuid.uuid4().hex
        with transaction.atomic():  # the same transaction that a caller of `delay_on_commit` would have
            Customer.objects.filter(pk=self.customer.pk).update(name=name[:8])
        committed = time.time()
        nothing.delay(str(self.workspace.pk), name)
        return (started_at(name) - committed) * 1000

    def many(self, count: int, parallel: int) -> tuple[float, float]:
        """Confirm requests from several threads; return when the last was confirmed and when the last had succeeded."""
        with ThreadPoolExecutor(parallel) as pool:
            list(pool.map(self._confirm_one, range(count)))
        confirmed = self.clock()
        with workspace_scope(self.workspace.pk):
            self._until_done()
        return confirmed, self.clock()

    def _confirm_one(self, _: int) -> UUID:
        try:
            with workspace_scope(self.workspace.pk):
                card = self._propose()
                confirm(card.pk, principal=self._principal(), digest=card.digest)
                return card.pk
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
        if not wait_until(lambda: not unfinished.exists(), seconds=PATIENCE_SECONDS, pause=0.01):
            raise SystemExit(f"Not all actions were done: {list(unfinished.values_list('state', 'reason_code'))[:5]}")

    def clock(self) -> float:
        return time.monotonic()
