"""Merchants that answer 500, HTML, 10 MB, a redirect, nonsense, too late or not at all, over real HTTP.

Each kind of answer comes twice: from a merchant that had done the work before it, and from one that had not. From
outside the two look the same, so the end must not depend on it: what was paid is told as paid, and nothing else is.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

from actions.connectors.client import MAX_ANSWER_BYTES
from actions.execution import MAX_ATTEMPTS
from actions.merchants import connect_merchant
from actions.models import ActionRequest, Attempt, LedgerEntry, MerchantConnection
from actions.policies import ensure_policies
from actions.principals import Principal
from actions.services import confirm, propose
from actions.states import State
from actions.sweeping import SETTLED_AFTER, sweep
from actions.testing import make_due, run_queued
from supportbot.accounts.models import Workspace
from supportbot.chat.models import Conversation, ConversationEvent
from supportbot.handoff.models import Ticket
from supportbot.outbox.services import deliver_due
from tests.actions.fake_merchant import SECRET, Mood, MoodyMerchant, moody
from tests.actions.raw_server import reply

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
    "10-mb": reply("200 OK", b'{"refund": "' + b"x" * (10 * MAX_ANSWER_BYTES) + b'"}'),
    "compressed": reply("200 OK", b"\x1f\x8b", more="Content-Encoding: gzip\r\n"),
    "redirect": reply("307 Over there", b"{}", more="Location: http://169.254.169.254/latest\r\n"),
    "conflict": reply("409 Conflict", b'{"code": "key_reused"}'),
    "hang-up": b"",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{",
    "no-http": b"220 mail.example ESMTP\r\n",
    "silence": SILENCE,
}


def mood(kind: str, name: str, *, does_the_work: bool = False) -> Mood:
    return Mood(kind, ANSWERS[name], does_the_work, is_silent=ANSWERS[name] is SILENCE)


@pytest.fixture
def merchant(workspace: Workspace, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[MoodyMerchant]:
    """The workspace's merchant, sane until told otherwise; who waits for it gives up soon."""
    monkeypatch.setattr("actions.connectors.merchant.RUN_SECONDS", 0.5)
    monkeypatch.setattr("actions.connectors.merchant.READ_SECONDS", 0.5)
    monkeypatch.setattr("actions.sweeping.publish", lambda workspace_id, request_id: None)
    with moody() as made:
        settings.ACTIONS_LOOPBACK = [made.address]
        ensure_policies()
        connect_merchant(f"http://{made.address}", SECRET, actor="test")
        yield made


@pytest.fixture
def queued(merchant: MoodyMerchant, principal: Principal) -> ActionRequest:
    conversation = Conversation.objects.create(customer_id=principal.customer_id)
    wish = {"order_id": "A-1", "reason": "x"}
    card = propose(principal, "refund_order", wish, proposal_key="turn:1:1", conversation_id=conversation.pk)
    return confirm(card.pk, principal=principal, digest=card.digest)


def let_time_pass() -> None:
    for _ in range(MAX_ATTEMPTS):
        make_due()
        sweep()
        run_queued()


def settle() -> None:
    """Let so much time pass that no call can be under way any more."""
    for attempt in Attempt.objects.exclude(sent_at=None):
        Attempt.objects.filter(pk=attempt.pk).update(sent_at=attempt.started_at - SETTLED_AFTER)
    make_due()
    sweep()


def told(request: ActionRequest) -> list[str]:
    deliver_due()
    rows = ConversationEvent.objects.filter(conversation_id=request.conversation_id, event__startswith="action.")
    return [name.removeprefix("action.") for name in rows.order_by("seq").values_list("event", flat=True)]


@pytest.mark.parametrize("does_the_work", [True, False], ids=["done", "not-done"])
@pytest.mark.parametrize("name", ANSWERS)
def test_a_merchant_that_comes_to_its_senses(
    name: str, does_the_work: bool, queued: ActionRequest, merchant: MoodyMerchant
) -> None:
    merchant.moods = [mood("refunds", name, does_the_work=does_the_work)]
    run_queued()
    queued.refresh_from_db()
    # Its books are open, so what was done is known at once; what was not done is tried again.
    assert queued.state == (State.SUCCEEDED if does_the_work else State.QUEUED)
    let_time_pass()
    queued.refresh_from_db()
    assert queued.state == State.SUCCEEDED and queued.receipt is not None
    assert list(merchant.refunds) == [str(queued.pk)]
    assert merchant.heard.count("POST refunds") == (1 if does_the_work else 2)
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.SPENT
    assert told(queued) == ["proposed", "queued", "succeeded"]


# One of each way to be wrong: that every answer is taken for unclear is known from the tests around this long one.
@pytest.mark.parametrize("does_the_work", [True, False], ids=["done", "not-done"])
@pytest.mark.parametrize("name", ["500", "html", "deep", "10-mb", "redirect", "conflict", "cut", "silence"])
def test_a_merchant_that_never_comes_to_its_senses(
    name: str, does_the_work: bool, queued: ActionRequest, merchant: MoodyMerchant
) -> None:
    """It is not called failed, nothing is sent blind, a person is called; the end is told when it can be known."""
    merchant.always = {"refunds": mood("refunds", name, does_the_work=does_the_work),
                       "operations": mood("operations", name)}  # fmt: skip
    let_time_pass()
    settle()
    queued.refresh_from_db()
    assert (queued.state, queued.reason_code) == (State.UNKNOWN, "outcome_unknown")
    assert merchant.heard.count("POST refunds") == 1
    assert told(queued) == ["proposed", "queued", "unknown"]
    assert Ticket.objects.get().conversation_id == queued.conversation_id
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RESERVED

    merchant.come_to_its_senses()
    for _ in range(3):  # a look that a busy machine cuts off is made again
        settle()
    queued.refresh_from_db()
    assert queued.state == (State.SUCCEEDED if does_the_work else State.FAILED)
    assert len(merchant.refunds) == int(does_the_work)
    assert merchant.heard.count("POST refunds") == 1
    assert told(queued) == ["proposed", "queued", "unknown", queued.state]


@pytest.mark.parametrize("name", ANSWERS)
def test_a_merchant_that_cannot_be_read_before_the_call_is_sent_nothing(
    name: str, queued: ActionRequest, merchant: MoodyMerchant
) -> None:
    merchant.always = {"orders": mood("orders", name)}
    let_time_pass()
    assert_given_up(queued, merchant)


def assert_given_up(queued: ActionRequest, merchant: MoodyMerchant) -> None:
    queued.refresh_from_db()
    assert (queued.state, queued.reason_code) == (State.FAILED, "not_carried_out")
    assert "POST refunds" not in merchant.heard and merchant.refunds == {}
    assert LedgerEntry.objects.get().status == LedgerEntry.Status.RELEASED
    assert told(queued) == ["proposed", "queued", "failed"]
    assert Ticket.objects.get().conversation_id == queued.conversation_id


def test_a_merchant_that_does_not_know_our_signature(queued: ActionRequest, merchant: MoodyMerchant) -> None:
    connect_merchant(f"http://{merchant.address}", "whsec_YW5vdGhlciBzZWNyZXQgYWx0b2dldGhlcg==", actor="test")
    let_time_pass()
    assert_given_up(queued, merchant)


@pytest.mark.parametrize("does_the_work", [True, False], ids=["done", "not-done"])
@pytest.mark.parametrize("status", ["400 Bad", "401 Unauthorized", "403 Forbidden", "404 Not Found", "422 No"])
def test_a_no_is_final_unless_the_books_say_otherwise(
    status: str, does_the_work: bool, queued: ActionRequest, merchant: MoodyMerchant
) -> None:
    """A gateway may say no after the work was done."""
    merchant.moods = [Mood("refunds", reply(status, b'{"code": "no", "message": "Not here."}'), does_the_work)]
    run_queued()
    queued.refresh_from_db()
    assert queued.state == (State.SUCCEEDED if does_the_work else State.FAILED)
    assert len(merchant.refunds) == int(does_the_work)
    assert queued.reason_facts.get("message") == (None if does_the_work else "Not here.")


@pytest.mark.parametrize("url", ["http://{own}", "http://169.254.169.254", "https://10.0.0.8", "https://[::1]"])
def test_a_merchant_at_a_private_address(
    url: str, queued: ActionRequest, merchant: MoodyMerchant, settings: Settings
) -> None:
    settings.ACTIONS_LOOPBACK = []
    MerchantConnection.objects.update(base_url=url.format(own=merchant.address))  # as a name that leads there
    heard = len(merchant.heard)
    let_time_pass()
    assert len(merchant.heard) == heard
    assert_given_up(queued, merchant)


def test_a_merchant_that_is_gone(queued: ActionRequest, merchant: MoodyMerchant) -> None:
    merchant.stopping.set()
    merchant.listener.close()
    let_time_pass()
    assert_given_up(queued, merchant)


def test_a_dribbling_merchant_is_cut_and_asked_by_key(
    queued: ActionRequest, merchant: MoodyMerchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    real: Any = MoodyMerchant._sane

    def slowly(self: MoodyMerchant, kind: str, name: str, body: bytes) -> bytes:
        answer: bytes = real(self, kind, name, body)
        if kind == "refunds":
            self.stopping.wait(1.5)  # longer than a caller waits, and done all the same
        return answer

    monkeypatch.setattr(MoodyMerchant, "_sane", slowly)
    run_queued()
    let_time_pass()
    queued.refresh_from_db()
    assert queued.state == State.SUCCEEDED and len(merchant.refunds) == 1
