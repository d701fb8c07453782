"""A customer decides on a card over their socket. A refused decision changes nothing."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.utils.timezone import now, timedelta

from actions.models import ActionRequest
from actions.principals import principal_in_conversation
from actions.services import propose
from actions.testing import FakeShop, connected, run_queued
from supportbot.accounts.channels import NewChannel
from supportbot.accounts.models import Channel, Customer, Workspace
from supportbot.assistant.outbox_consumers import record_action_events
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.outbox.delivery import deliver_due
from supportbot.widget.models import SocketTicket
from tests.policies import store_policies
from tests.rest import caller
from tests.widget.page import greeted, identity_token, open_socket, ticket
from tests.widget.redeeming import code_for, own_origin, redeemed

pytestmark = pytest.mark.django_db(transaction=True)
OTHER_DIGEST = "0" * 64
OWN_ORIGIN = own_origin()


@pytest.fixture
def shop(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeShop]:
    monkeypatch.setattr("actions.requests.celery_publisher.publish", lambda workspace_id, request_id: None)
    store_policies(workspace)
    with connected(FakeShop()) as fake:
        fake.add_order("A-1001", "cus_alice", total="49.90")
        yield fake


def signed_in(channel: NewChannel, subject: str = "cus_alice", **fields: Any) -> dict[str, Any]:
    return ticket(channel, token=identity_token(channel, subject), **fields)


def card_in(conversation: str) -> ActionRequest:
    """Propose a refund in Alice's conversation, as a turn does."""
    principal = principal_in_conversation(Customer.objects.get(external_id="cus_alice"))
    arguments = {"order_id": "A-1001", "reason": "Arrived damaged"}
    request = propose(principal, "refund_order", arguments, proposal_key="turn:1:1", conversation_id=UUID(conversation))
    record_action_events(request.pk)
    return request


def state_of(card: ActionRequest) -> str:
    return str(ActionRequest.objects.values_list("state", flat=True).get(pk=card.pk))


async def test_a_confirmed_card_is_executed_once_and_reported(server: str, channel: NewChannel, shop: FakeShop) -> None:
    granted = await db(signed_in, channel)
    async with greeted(server, granted) as socket:
        await db(card_in, granted["conversation"])
        shown = (await socket.until("action.proposed"))["payload"]
        await socket.say("confirm", request=shown["request"], digest=shown["digest"])
        await socket.quiet()
        await db(deliver_due)
        await socket.until("action.queued")
        await socket.say("confirm", request=shown["request"], digest=shown["digest"])
        again = await socket.until("error")
        await db(run_queued)
        await db(deliver_due)
        done = await socket.until("action.succeeded")
        final = await socket.until("assistant.final")
    assert (again["code"], again["request"]) == ("not_waiting", shown["request"])
    assert [str(refund.amount) for refund in shop.refunds] == ["49.90"]
    assert done["payload"]["receipt"]["order"] == "A-1001"
    assert "We refunded" in final["payload"]["text"]


async def test_a_wrong_digest_changes_nothing(server: str, channel: NewChannel, shop: FakeShop) -> None:
    granted = await db(signed_in, channel)
    async with greeted(server, granted) as socket:
        card = await db(card_in, granted["conversation"])
        await socket.say("confirm", request=str(card.pk), digest=OTHER_DIGEST)
        error = await socket.until("error")
    assert (error["code"], error["request"]) == ("digest_mismatch", str(card.pk))
    assert await db(state_of, card) == "awaiting_confirmation"


@pytest.mark.parametrize("frame", ["confirm", "decline"])
@pytest.mark.parametrize("who", ["another customer", "a visitor"])
async def test_another_customers_card_is_not_found(
    server: str, channel: NewChannel, shop: FakeShop, who: str, frame: str
) -> None:
    card = await db(card_in, (await db(signed_in, channel))["conversation"])
    granted = await db(signed_in, channel, "cus_mallory") if who == "another customer" else await db(ticket, channel)
    digest = {"digest": card.digest} if frame == "confirm" else {}
    async with greeted(server, granted) as socket:
        await socket.say(frame, request=str(card.pk), **digest)
        error = await socket.until("error")
        await socket.say(frame, request=granted["conversation"], **digest)
        missing = await socket.until("error")
    assert (error["code"], error["request"]) == ("not_found", str(card.pk))
    assert error["message"] == missing["message"]
    assert await db(state_of, card) == "awaiting_confirmation" and shop.refunds == []


async def test_an_expired_identity_confirms_nothing(server: str, channel: NewChannel, shop: FakeShop) -> None:
    """After its token expires, the socket can still read; a fresh token over `identify` lets it confirm again."""
    granted = await db(signed_in, channel)
    await db(_expire_identities)
    async with greeted(server, granted) as socket:
        card = await db(card_in, granted["conversation"])
        await socket.say("confirm", request=str(card.pk), digest=card.digest)
        error = await socket.until("error")
        assert (error["code"], error["request"]) == ("identity_expired", str(card.pk))
        assert "identify" in error["message"]
        assert await db(state_of, card) == "awaiting_confirmation"
        await socket.say("identify", token=identity_token(channel))
        await socket.say("confirm", request=str(card.pk), digest=card.digest)
        await socket.quiet()
    assert await db(state_of, card) == "queued"


def _expire_identities() -> None:
    SocketTicket.objects.update(identity_expires_at=now() - timedelta(seconds=1))


async def test_nothing_can_be_confirmed_after_logging_out(server: str, channel: NewChannel, shop: FakeShop) -> None:
    granted = await db(signed_in, channel)
    async with greeted(server, granted) as socket:
        card = await db(card_in, granted["conversation"])
        await socket.say("logout")
        await socket.say("confirm", request=str(card.pk), digest=card.digest)
        assert await socket.close_code() == 4401
    assert await db(state_of, card) == "awaiting_confirmation"


def _demand_the_hosted_page() -> None:
    Channel.objects.update(confirms_on_hosted_page=True)


async def test_a_channel_can_require_the_hosted_page(server: str, channel: NewChannel, shop: FakeShop) -> None:
    """The shop's page cannot confirm, not even after signing in again; the hosted page can confirm the same card."""
    granted = await db(signed_in, channel)
    await db(_demand_the_hosted_page)
    async with greeted(server, granted) as socket:
        card = await db(card_in, granted["conversation"])
        for _ in range(2):
            await socket.say("confirm", request=str(card.pk), digest=card.digest)
            error = await socket.until("error")
            assert (error["code"], error["request"]) == ("confirm_on_hosted_page", str(card.pk))
            await socket.say("identify", token=identity_token(channel))
        assert await db(state_of, card) == "awaiting_confirmation"
    redeemed = await db(_redeemed_identity, channel, granted["conversation"])
    async with open_socket(server, origin=OWN_ORIGIN) as hosted:
        await hosted.hello(redeemed["ticket"])
        await hosted.say("identify", token=redeemed["token"])
        await hosted.say("confirm", request=str(card.pk), digest=card.digest)
        assert [frame["type"] for frame in await hosted.quiet()] == []
    assert await db(state_of, card) == "queued"


async def test_confirming_over_rest_requires_the_pages_pass(server: str, channel: NewChannel, shop: FakeShop) -> None:
    granted = await db(signed_in, channel)
    await db(_demand_the_hosted_page)
    card = await db(card_in, granted["conversation"])
    refused = await db(_confirm_over_rest, identity_token(channel), card)
    assert (refused.status_code, refused.json()["code"]) == (403, "confirm_on_hosted_page")
    assert await db(state_of, card) == "awaiting_confirmation"
    passed = (await db(_redeemed_identity, channel, granted["conversation"]))["token"]
    assert (await db(_confirm_over_rest, passed, card)).status_code == 200
    assert await db(state_of, card) == "queued"


async def test_a_pass_confirms_nothing_once_its_identity_has_expired(
    server: str, channel: NewChannel, shop: FakeShop
) -> None:
    granted = await db(signed_in, channel)
    card = await db(card_in, granted["conversation"])
    redeemed = await db(_redeemed_identity, channel, granted["conversation"])
    await db(_expire_identities)
    async with open_socket(server, origin=OWN_ORIGIN) as hosted:
        await hosted.hello(redeemed["ticket"])
        await hosted.say("confirm", request=str(card.pk), digest=card.digest)
        error = await hosted.until("error")
    assert error["code"] == "identity_expired"
    assert await db(state_of, card) == "awaiting_confirmation"


async def test_a_visitors_pass_cannot_sign_in(server: str, channel: NewChannel, shop: FakeShop) -> None:
    stranger = await db(ticket, channel)
    redeemed = await db(_redeemed_visitor, channel, stranger["visitor"])
    granted = await db(ticket, channel)
    async with greeted(server, granted) as socket:
        await socket.say("identify", token=redeemed["token"])
        error = await socket.until("error")
    assert error["code"] == "invalid_token"
    assert await db(_owner_of, granted["conversation"]) != await db(_owner_of, stranger["conversation"])


def _owner_of(conversation: str) -> UUID:
    return Conversation.objects.get(pk=conversation).customer_id


def _redeemed_identity(channel: NewChannel, conversation: str) -> dict[str, Any]:
    return redeemed(channel, code_for(channel, token=identity_token(channel), conversation=conversation))


def _redeemed_visitor(channel: NewChannel, secret: str) -> dict[str, Any]:
    return redeemed(channel, code_for(channel, visitor=secret))


def _confirm_over_rest(credential: str, card: ActionRequest) -> Any:
    address = f"/api/v1/action-requests/{card.pk}/confirm"
    return caller(credential).post(address, {"digest": card.digest}, format="json")


async def test_an_expired_card_cannot_be_confirmed(server: str, channel: NewChannel, shop: FakeShop) -> None:
    granted = await db(signed_in, channel)
    async with greeted(server, granted) as socket:
        card = await db(card_in, granted["conversation"])
        await db(ActionRequest.objects.update, expires_at=now() - timedelta(seconds=1))
        await socket.say("confirm", request=str(card.pk), digest=card.digest)
        error = await socket.until("error")
        await db(deliver_due)
        expired = await socket.until("action.expired")
        final = await socket.until("assistant.final")
    assert error["code"] == "expired"
    assert expired["payload"]["reason"]["code"] == "not_confirmed"
    assert "ask me again" in final["payload"]["text"] and shop.refunds == []


async def test_a_declined_card_cannot_be_confirmed(server: str, channel: NewChannel, shop: FakeShop) -> None:
    granted = await db(signed_in, channel)
    async with greeted(server, granted) as socket:
        card = await db(card_in, granted["conversation"])
        await socket.say("decline", request=str(card.pk))
        await socket.quiet()
        await db(deliver_due)
        cancelled = await socket.until("action.cancelled")
        await socket.say("confirm", request=str(card.pk), digest=card.digest)
        error = await socket.until("error")
    assert cancelled["payload"]["reason"]["code"] == "declined"
    assert error["code"] == "not_waiting" and shop.refunds == []


async def test_a_card_stays_open_if_the_shop_does_not_answer(server: str, channel: NewChannel, shop: FakeShop) -> None:
    granted = await db(signed_in, channel)
    async with greeted(server, granted) as socket:
        card = await db(card_in, granted["conversation"])
        shop.is_reachable = False
        await socket.say("confirm", request=str(card.pk), digest=card.digest)
        error = await socket.until("error")
    assert error["code"] == "merchant_unavailable"
    assert await db(state_of, card) == "awaiting_confirmation"
