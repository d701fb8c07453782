"""Merchants that answer 500, HTML, 10 MB, a redirect, nonsense, too late or not at all, over real HTTP.

Each kind of answer is tested twice: from a merchant that has done the work before it, and from one that has not. From
outside they look the same, so the result must be right for both: a refund is reported as paid only if it was paid.
"""

import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from actions.merchant_api.merchant import MAX_RESPONSE_BYTES
from actions.merchant_connection import connect_merchant
from actions.models import ActionRequest, Attempt, LedgerEntry, MerchantConnection
from actions.principals import Principal
from actions.requests.execution import MAX_ATTEMPTS
from actions.requests.sweeps import sweep
from actions.requests.unknown_outcomes import SETTLED_AFTER
from actions.services import confirm, propose
from actions.states import State
from actions.testing import current_shop, make_due, run_queued
from supportbot.accounts.models import Workspace
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.handoff.models import Ticket
from supportbot.outbound.ip_addresses import LOOPBACK
from supportbot.outbox.delivery import deliver_due
from tests.actions.begun import alice as alice
from tests.actions.begun import begun
from tests.actions.begun import policies as policies
from tests.actions.begun import workspace as workspace
from tests.actions.fake_merchant import SECRET, FakeMerchant, Fault, fake_merchant
from tests.actions.raw_server import reply
from tests.actions.rounds import rounds

pytestmark = pytest.mark.django_db
SILENCE = b"(silence)"
ANSWERS = {
    "500": reply("500 Oops", b'{"code": "x"}'),
    "500-html": reply("500 Oops", b"<html>sorry</html>", kind="text/html"),
    "502": reply("502 Bad Gateway", b"<html>502</html>", kind="text/html"),
    "503": reply("503 Later", b'{"code": "overloaded"}'),
    "html": reply("200 OK", b"<html>Thank you!</html>", kind="text/html"),
    "malformed": reply("200 OK", b'{"refund": '),
    "deep": reply("200 OK", b"[" * 100_000),
    "list": reply("200 OK", b"[]"),
    "10-mb": reply("200 OK", b'{"refund": "' + b"x" * (10 * MAX_RESPONSE_BYTES) + b'"}'),
    "compressed": reply("200 OK", b"\x1f\x8b", more="Content-Encoding: gzip\r\n"),
    "redirect": reply("307 Over there", b"{}", more="Location: http://169.254.169.254/latest\r\n"),
    "conflict": reply("409 Conflict", b'{"code": "key_reused"}'),
    "hang-up": b"",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
    "no-http": b"220 mail.example ESMTP\r\n",
    "silence": SILENCE,
}


# One example per kind: one test tries all answers in every run, so the others need only these.
KINDS = ("500", "html", "deep", "10-mb", "redirect", "conflict", "cut", "silence")


def done_and_not_done(names: Iterable[str]) -> list[Any]:
    """Return each name with both kinds of merchant. Cases in which the money has moved are in every run; of the others,
    every second one is left to the long run.
    """
    return [
        pytest.param(
            name,
            executes,
            id=f"{'done' if executes else 'not-done'}-{name}",
            marks=() if executes or number % 2 else pytest.mark.long,
        )
        for number, name in enumerate(names)
        for executes in (True, False)
    ]


def fault(kind: str, name: str, *, executes_first: bool = False) -> Fault:
    return Fault(kind, ANSWERS[name], executes_first, hangs=ANSWERS[name] is SILENCE)


@pytest.fixture
def merchant(workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeMerchant]:
    """The workspace's merchant, without faults at first.

    A call reaches its deadline only when the merchant has received it and does not answer. On a busy machine, a real
    deadline could cut off a call that the merchant has not received yet, or would have answered.
    """
    under_way: list[socket.socket] = []

    @contextmanager
    def cut_by_the_merchant(ends_at: float, sock: socket.socket) -> Iterator[None]:
        under_way.append(sock)
        try:
            yield
        finally:
            under_way.remove(sock)

    monkeypatch.setattr("supportbot.outbound.http._shut_down_at", cut_by_the_merchant)
    monkeypatch.setattr("actions.requests.sweeps.CHECK_SECONDS", 60.0)
    monkeypatch.setattr("actions.requests.sweeps.publish", lambda workspace_id, request_id: None)
    with fake_merchant() as made:
        made.cut_off = lambda: under_way[-1].shutdown(socket.SHUT_RDWR)
        settings.PRIVATE_NETWORKS = LOOPBACK
        connect_merchant(f"http://{made.address}", SECRET, actor="test")
        yield made


@pytest.fixture(scope="module")
def begun_once(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[ActionRequest]:
    with begun(django_db_blocker, confirmed) as request:
        yield request


@pytest.fixture
def queued(merchant: FakeMerchant, begun_once: ActionRequest) -> ActionRequest:
    """A confirmed request, made with a shop without faults; the faulty merchant is asked from then on."""
    return ActionRequest.objects.get(pk=begun_once.pk)


def confirmed(principal: Principal) -> ActionRequest:
    current_shop().add_order("A-1", "cus_alice", total="20.00")  # as the faulty merchants have it
    conversation = Conversation.objects.create(customer_id=principal.customer_id)
    intent = {"order_id": "A-1", "reason": "x"}
    card = propose(principal, "refund_order", intent, proposal_key="turn:1:1", conversation_id=conversation.pk)
    return confirm(card.pk, principal=principal, digest=card.digest)


def pass_time() -> None:
    for _ in rounds(MAX_ATTEMPTS):
        make_due()
        sweep()
        run_queued()


def settle() -> None:
    """Let enough time pass that no call can still be in progress."""
    for attempt in Attempt.objects.exclude(sent_at=None):
        Attempt.objects.filter(pk=attempt.pk).update(sent_at=attempt.started_at - SETTLED_AFTER)
    make_due()
    sweep()


def action_events(request: ActionRequest) -> list[str]:
    deliver_due()
    rows = ConversationEvent.objects.filter(conversation_id=request.conversation_id, event__startswith="action.")
    return [name.removeprefix("action.") for name in rows.order_by("seq").values_list("event", flat=True)]


@pytest.mark.one_in(5)
@pytest.mark.parametrize(("name", "executes_first"), done_and_not_done(ANSWERS))
def test_a_refund_ends_correctly_once_the_merchant_recovers(
    name: str, executes_first: bool, queued: ActionRequest, merchant: FakeMerchant
) -> None:
    merchant.faults = [fault("refunds", name, executes_first=executes_first)]
    run_queued()
    queued.refresh_from_db()
    # It can be asked by key, so a refund that was done is known at once, and one that was not is retried.
    assert queued.state == (State.SUCCEEDED if executes_first else State.QUEUED)
    pass_time()
    queued.refresh_from_db()
    assert queued.state == State.SUCCEEDED and queued.receipt is not None
    assert list(merchant.refunds) == [str(queued.pk)]
    assert merchant.received.count("POST refunds") == (1 if executes_first else 2)
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.SPENT
    assert action_events(queued) == ["proposed", "queued", "succeeded"]


@pytest.mark.one_in(4)
@pytest.mark.parametrize(("name", "executes_first"), done_and_not_done(KINDS))
def test_a_person_is_called_in_if_the_merchant_does_not_recover_and_the_outcome_follows(
    name: str, executes_first: bool, queued: ActionRequest, merchant: FakeMerchant
) -> None:
    """The request is neither reported as failed nor sent again blindly: a person is called in until it is settled."""
    merchant.always = {"refunds": fault("refunds", name, executes_first=executes_first),
                       "operations": fault("operations", name)}  # fmt: skip
    pass_time()
    settle()
    queued.refresh_from_db()
    assert (queued.state, queued.reason_code) == (State.UNKNOWN, "outcome_unknown")
    assert merchant.received.count("POST refunds") == 1
    assert action_events(queued) == ["proposed", "queued", "unknown"]
    assert Ticket.objects.get().conversation_id == queued.conversation_id
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RESERVED

    merchant.recover()
    settle()
    queued.refresh_from_db()
    assert queued.state == (State.SUCCEEDED if executes_first else State.FAILED)
    assert len(merchant.refunds) == int(executes_first)
    assert merchant.received.count("POST refunds") == 1
    assert action_events(queued) == ["proposed", "queued", "unknown", queued.state]


@pytest.mark.one_in(8)
@pytest.mark.parametrize(
    "name", [name if name in KINDS else pytest.param(name, marks=pytest.mark.long) for name in ANSWERS]
)
def test_nothing_is_sent_to_a_merchant_whose_order_cannot_be_read(
    name: str, queued: ActionRequest, merchant: FakeMerchant
) -> None:
    merchant.always = {"orders": fault("orders", name)}
    pass_time()
    assert_given_up(queued, merchant)


def assert_given_up(queued: ActionRequest, merchant: FakeMerchant) -> None:
    queued.refresh_from_db()
    assert (queued.state, queued.reason_code) == (State.FAILED, "not_carried_out")
    assert "POST refunds" not in merchant.received and merchant.refunds == {}
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED
    assert action_events(queued) == ["proposed", "queued", "failed"]
    assert Ticket.objects.get().conversation_id == queued.conversation_id


def test_a_refund_fails_if_the_merchant_rejects_our_signature(queued: ActionRequest, merchant: FakeMerchant) -> None:
    connect_merchant(f"http://{merchant.address}", "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg==", actor="test")
    pass_time()
    assert_given_up(queued, merchant)


@pytest.mark.one_in(4)
@pytest.mark.parametrize(
    ("status", "executes_first"),
    done_and_not_done(["400 Bad", "401 Unauthorized", "403 Forbidden", "404 Not Found", "422 No"]),
)
def test_a_refusal_is_final_unless_the_key_says_otherwise(
    status: str, executes_first: bool, queued: ActionRequest, merchant: FakeMerchant
) -> None:
    """A gateway may return an error although the work was done."""
    merchant.faults = [Fault("refunds", reply(status, b'{"code": "no", "message": "Not here."}'), executes_first)]
    run_queued()
    queued.refresh_from_db()
    assert queued.state == (State.SUCCEEDED if executes_first else State.FAILED)
    assert len(merchant.refunds) == int(executes_first)
    assert queued.reason_facts.get("message") == (None if executes_first else "Not here.")


@pytest.mark.parametrize("url", ["http://{own}", "http://169.254.169.254", "https://10.0.0.8", "https://[::1]"])
def test_a_merchant_at_a_private_address_is_not_called(
    url: str, queued: ActionRequest, merchant: FakeMerchant, settings: Settings
) -> None:
    settings.PRIVATE_NETWORKS = ()
    MerchantConnection.objects.update(base_url=url.format(own=merchant.address))  # or a host name that resolves to it
    received = len(merchant.received)
    pass_time()
    assert len(merchant.received) == received
    assert_given_up(queued, merchant)


def test_a_refund_fails_if_no_merchant_answers(queued: ActionRequest, merchant: FakeMerchant) -> None:
    merchant.stopping.set()
    merchant.listener.close()
    pass_time()
    assert_given_up(queued, merchant)


def test_a_slow_call_is_cut_off_and_its_outcome_queried_by_key(
    queued: ActionRequest, merchant: FakeMerchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = FakeMerchant._respond

    def slowly(self: FakeMerchant, kind: str, name: str, body: bytes) -> bytes:
        answer: bytes = real(self, kind, name, body)
        if kind == "refunds":
            self.cut_off()  # too late for the caller, but the work is done
        return answer

    monkeypatch.setattr(FakeMerchant, "_respond", slowly)
    run_queued()
    pass_time()
    queued.refresh_from_db()
    assert queued.state == State.SUCCEEDED and len(merchant.refunds) == 1
