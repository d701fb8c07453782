"""The fault matrix of a defined action, for each outcome kind: nothing is doubled, lost or stuck."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from actions.approvers import allow_approval
from actions.audit import verify
from actions.connections.client import Call, Client, Response
from actions.models import ActionRequest, LedgerEntry
from actions.policy_store import policy_of
from actions.requests.execution import MAX_ATTEMPTS, recover
from actions.requests.sweeps import sweep
from actions.services import settle_by_hand
from actions.states import State
from actions.testing import ProcessDied, make_due, run_queued
from supportbot.accounts.models import User
from supportbot.embedded.child_processes import wait_until
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import FAULTS, LoopbackShop
from tests.actions.rounds import rounds
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.django_db
Put = Callable[[dict[str, Any]], None]
Agree = Callable[..., ActionRequest]
CLEAR = ("status_lookup", "replay_safe")
LATE = {"silence after the work", "silence before the work", "slow answer"}


@pytest.fixture(autouse=True)
def short_deadlines_for_late_answers(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, messages: list[str]
) -> None:
    """Set short deadlines if the shop answers too late on purpose; other tests give a busy machine time."""
    if getattr(request.node, "callspec", None) and LATE & {*request.node.callspec.params.values()}:
        wait_briefly(monkeypatch)


def wait_briefly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actions.definitions.backend.RUN_SECONDS", 0.4)


def work(request: ActionRequest) -> ActionRequest:
    """Run workers and sweeps until they have done all they can."""
    for _ in rounds(MAX_ATTEMPTS + 3):
        with suppress(ProcessDied):
            run_queued()
        make_due()
        recover(request.pk)
        sweep()
    return ActionRequest.objects.get(pk=request.pk)


def ledger() -> str:
    return LedgerEntry.objects.get().status


@pytest.mark.one_in(5)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", CLEAR)
def test_a_request_whose_outcome_can_be_found_out_succeeds_once(
    kind: str, fault: str, put_in_force: Put, agreed: Agree, retail: LoopbackShop
) -> None:
    put_in_force(document(kind=kind))
    retail.faults = [fault]
    request = work(agreed())
    assert (request.state, ledger()) == (State.SUCCEEDED, "spent")
    assert retail.performed == [(str(request.pk), "/orders/#W0000001/cancel")]
    bodies = {body for _, body in retail.commands}
    assert len(bodies) == 1 and {key for key, _ in retail.commands} == {str(request.pk)}
    assert not any("169.254" in line for line in retail.asked) and verify().is_whole


@pytest.mark.parametrize("kind", CLEAR)
def test_requests_to_a_slow_shop_settle_without_a_person(
    kind: str, put_in_force: Put, agreed: Agree, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each answer takes longer than a command may; a repeated command waits for it as long as its lease lasts."""
    wait_briefly(monkeypatch)
    put_in_force(document(kind=kind))
    retail.faults = ["slow answer"] * 9
    request = work(agreed())
    assert (request.state, ledger(), len(retail.performed)) == (State.SUCCEEDED, "spent", 1)
    assert request.attempt_count <= 2


@pytest.mark.one_in(5)
@pytest.mark.parametrize("fault", [fault for fault in FAULTS if fault != "a list"])  # this shop confirms with 200
def test_an_at_most_once_request_with_an_unclear_outcome_goes_to_a_person(
    fault: str, put_in_force: Put, agreed: Agree, retail: LoopbackShop, admin: User
) -> None:
    put_in_force(document(kind="at_most_once"))
    retail.knows_keys, retail.faults = False, [fault]
    request = work(agreed())
    has_happened = FAULTS[fault][1]
    # a busy shop may read the command after the platform has hung up
    assert wait_until(lambda: len(retail.commands) == 1, seconds=PATIENCE_SECONDS)
    assert wait_until(lambda: len(retail.performed) == has_happened, seconds=PATIENCE_SECONDS)
    assert request.state == State.UNKNOWN
    policy = policy_of("cancel_pending_order")
    assert policy is not None
    allow_approval(policy, admin, actor="test")
    settled = settle_by_hand(request.pk, outcome="happened" if has_happened else "did_not", person=admin)
    expected = (State.SUCCEEDED, "spent") if has_happened else (State.FAILED, "released")
    assert ((settled.state, ledger()), len(retail.commands)) == (expected, 1)
    assert verify().is_whole


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", [*CLEAR, "at_most_once"])
def test_a_refusal_is_reported_in_the_shops_words(
    kind: str, put_in_force: Put, agreed: Agree, retail: LoopbackShop
) -> None:
    put_in_force(document(kind=kind))
    retail.refuses = "The till is closed."
    request = work(agreed())
    assert (request.state, request.reason_code, ledger()) == (State.FAILED, "merchant_refused", "released")
    assert request.reason_facts["message"] == "The till is closed." and retail.performed == []


@pytest.mark.one_in(2)
@pytest.mark.parametrize("kind", [*CLEAR, "at_most_once"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_is_killed_while_it_sends(
    kind: str, moment: str, put_in_force: Put, agreed: Agree, retail: LoopbackShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_in_force(document(kind=kind))
    retail.knows_keys = kind != "at_most_once"
    real, killed = Client.send, list[str]()

    def send(client: Client, call: Call, **more: Any) -> Response:
        if call.method != "POST" or killed:
            return real(client, call, **more)
        killed.append(call.path)
        if moment == "after":
            real(client, call, **more)
        raise ProcessDied

    monkeypatch.setattr(Client, "send", send)
    request = work(agreed())
    assert request.state == (State.UNKNOWN if kind == "at_most_once" else State.SUCCEEDED)
    assert len(retail.performed) == (1 if kind != "at_most_once" or moment == "after" else 0)


@pytest.mark.one_in(3)
@pytest.mark.parametrize("kind", [*CLEAR, "at_most_once"])
def test_a_shop_is_unreachable_at_first(kind: str, put_in_force: Put, agreed: Agree, retail: LoopbackShop) -> None:
    put_in_force(document(kind=kind))
    request = agreed()
    retail.is_up = False  # its look-ups fail, so nothing is sent
    run_queued()
    assert (ActionRequest.objects.get(pk=request.pk).state, retail.commands) == (State.QUEUED, [])
    retail.is_up = True
    assert work(request).state == State.SUCCEEDED and len(retail.performed) == 1


@pytest.mark.long
def test_the_outcome_is_queried_until_it_is_known(put_in_force: Put, agreed: Agree, retail: LoopbackShop) -> None:
    """The reply is lost, and the shop cannot be queried until all attempts are used up."""
    put_in_force(document())
    request, retail.faults, retail.can_be_asked = agreed(), ["reply dropped"], False
    assert work(request).state == State.UNKNOWN
    retail.can_be_asked = True
    assert (work(request).state, len(retail.performed), len(retail.commands)) == (State.SUCCEEDED, 1, 1)
