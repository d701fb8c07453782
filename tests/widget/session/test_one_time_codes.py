"""A one-time code carries a customer's identity to the hosted page, once; invalid codes are all refused alike."""

import json
from datetime import timedelta

import jwt
import pytest
from django.core.management import call_command
from django.http import HttpResponse
from django.utils.timezone import now

from supportbot.accounts.api_keys import issue_api_key
from supportbot.accounts.channels import NewChannel, create_channel
from supportbot.accounts.models import Channel, Customer, Workspace
from supportbot.chat.models import Conversation
from supportbot.widget.models import PageCode, SocketTicket
from supportbot.widget.session import one_time_codes
from supportbot.widget.tasks import purge
from tests.rest import caller
from tests.widget.page import PAGE_ORIGIN, ask_for_ticket, identity_token, ticket
from tests.widget.redeeming import CODES, REDEEM, code_for, own_origin, post, redeem, redeemed

pytestmark = pytest.mark.django_db


def refused(answer: HttpResponse) -> str:
    """Return the whole error for a code."""
    assert (answer.status_code, answer.json()["code"]) == (401, "code_refused")
    return answer.content.decode()


def test_a_signed_in_customer_keeps_the_conversation(channel: NewChannel) -> None:
    token = identity_token(channel)
    conversation = ticket(channel, token=token)["conversation"]
    granted = redeemed(channel, code_for(channel, token=token, conversation=conversation))
    assert granted["conversation"] == conversation and granted["ticket"].startswith("st_")
    row = SocketTicket.objects.latest("created_at")
    expires = jwt.decode(token, options={"verify_signature": False})["exp"]
    assert (row.is_verified, row.origin, row.customer.external_id) == (True, own_origin(), "cus_alice")
    assert row.identity_expires_at is not None and int(row.identity_expires_at.timestamp()) == expires
    assert "visitor" not in granted


def test_a_visitor_without_a_conversation_starts_a_new_one(channel: NewChannel) -> None:
    first = ticket(channel)
    granted = redeemed(channel, code_for(channel, visitor=first["visitor"]), locale="de")
    conversation = Conversation.objects.get(pk=granted["conversation"])
    assert granted["conversation"] != first["conversation"]
    assert conversation.customer == Customer.objects.get() and conversation.locale == "de"
    assert first["visitor"] not in json.dumps(granted)
    assert SocketTicket.objects.latest("created_at").is_verified is False


def test_only_the_hash_of_a_code_is_stored(channel: NewChannel) -> None:
    code = code_for(channel, token=identity_token(channel))
    assert code not in str(PageCode.objects.values().get())
    assert len(code) >= 43


@pytest.mark.long
def test_every_invalid_code_is_refused_the_same_way(
    channel: NewChannel, workspace: Workspace, other_workspace: Workspace
) -> None:
    """The caller cannot tell if a code was used, expired, made up, or of another channel, workspace or old identity."""
    near = create_channel(workspace, "Near", allowed_origins=[PAGE_ORIGIN])
    far = create_channel(other_workspace, "Far", allowed_origins=[PAGE_ORIGIN])
    used, fresh = (code_for(channel, token=identity_token(channel)) for _ in range(2))
    redeemed(channel, used)
    late, stale = (code_for(channel, token=identity_token(channel)) for _ in range(2))
    rows = list(PageCode.objects.order_by("id"))
    PageCode.objects.filter(pk=rows[-2].pk).update(expires_at=now())
    PageCode.objects.filter(pk=rows[-1].pk).update(identity_expires_at=now())
    before = (SocketTicket.objects.count(), Conversation.objects.count())
    answers = {refused(redeem(channel, code)) for code in (used, late, stale, "hc_made-up")}
    answers |= {refused(redeem(other, fresh)) for other in (near, far)}
    assert len(answers) == 1
    assert (SocketTicket.objects.count(), Conversation.objects.count()) == before
    assert redeem(channel, "").json()["fields"].keys() == redeem(channel, "\x00").json()["fields"].keys() == {"code"}
    redeemed(channel, fresh)  # the failed attempt has not used it up


def test_a_code_for_a_conversation_that_now_belongs_to_another_customer_opens_nothing(channel: NewChannel) -> None:
    first = ticket(channel)
    code = code_for(channel, visitor=first["visitor"], conversation=first["conversation"])
    ticket(channel, token=identity_token(channel), visitor=first["visitor"], conversation=first["conversation"])
    refused(redeem(channel, code))
    assert SocketTicket.objects.count() == 2


def test_a_code_for_an_erased_conversation_opens_nothing(channel: NewChannel) -> None:
    first = ticket(channel)
    code = code_for(channel, visitor=first["visitor"], conversation=first["conversation"])
    assert caller(first["visitor"]).delete("/api/v1/conversations").status_code == 204
    refused(redeem(channel, code))
    assert not PageCode.objects.exists() and not Conversation.objects.exists()


@pytest.mark.parametrize("origin", [PAGE_ORIGIN, "https://evil.test", "null", None])
def test_only_the_hosted_page_can_redeem(channel: NewChannel, origin: str | None) -> None:
    code = code_for(channel, token=identity_token(channel))
    answer = post(REDEEM, {"channel": channel.channel.key, "code": code}, origin=origin)
    assert (answer.status_code, answer.json()["code"]) == (403, "origin_refused")
    assert not SocketTicket.objects.exists()


def test_no_code_without_a_valid_credential(channel: NewChannel) -> None:
    key = channel.channel.key
    mallorys = identity_token(channel, "cus_mallory")
    alice_conversation = ticket(channel, token=identity_token(channel))["conversation"]
    for body, status in (
        ({"channel": key}, 400),
        ({"channel": key, "conversation": alice_conversation}, 400),
        ({"channel": key, "visitor": "vs_made_up"}, 401),
        ({"channel": key, "token": "a.b.c"}, 401),
        ({"channel": key, "token": mallorys, "conversation": alice_conversation}, 404),
        ({"channel": "pk_unknown", "token": mallorys}, 404),
        ({"channel": key, "token": mallorys, "locale": "de"}, 400),
    ):
        assert post(CODES, body).status_code == status, body
    assert post(CODES, {"channel": key, "token": mallorys}, origin="https://evil.test").status_code == 403
    assert not PageCode.objects.exists()


def test_a_program_with_a_key_can_request_a_code(channel: NewChannel, workspace: Workspace) -> None:
    """For a merchant's server that sends a link by e-mail: it has the key and signs the token."""
    plain = issue_api_key(workspace, "mailer", scopes=["conversations:write"]).plain
    body = {"channel": channel.channel.key, "token": identity_token(channel)}
    assert post(CODES, body, origin=None, Authorization=f"Bearer {plain}").status_code == 201
    assert post(CODES, body, origin=None).status_code == 403


def test_a_pass_works_like_an_identity_token(channel: NewChannel) -> None:
    token = identity_token(channel)
    granted = redeemed(channel, code_for(channel, token=token))
    passed = granted["token"]
    assert passed.startswith("hp_") and passed != token
    again = ask_for_ticket(
        {"channel": channel.channel.key, "token": passed, "conversation": granted["conversation"]}, origin=own_origin()
    )
    assert again.status_code == 201
    row = SocketTicket.objects.latest("created_at")
    assert row.is_verified and row.identity_expires_at is not None
    me = caller(passed).get("/api/v1/me").json()
    assert (me["kind"], me["is_verified"], me["name"]) == ("customer", True, "cus_alice")


def test_a_pass_expires_no_later_than_its_identity(channel: NewChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    token = identity_token(channel)
    granted = redeemed(channel, code_for(channel, token=token))
    expires = jwt.decode(token, options={"verify_signature": False})["exp"]
    later = now() + timedelta(seconds=601)
    monkeypatch.setattr("supportbot.accounts.hosted_page_credentials.now", lambda: later)
    answer = caller(granted["token"]).get("/api/v1/me")
    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert "Open the chat again" in answer.json()["message"]
    assert later.timestamp() > expires


def test_a_visitors_pass_expires_within_an_hour(channel: NewChannel, monkeypatch: pytest.MonkeyPatch) -> None:
    granted = redeemed(channel, code_for(channel, visitor=ticket(channel)["visitor"]))
    assert caller(granted["token"]).get("/api/v1/me").json()["is_verified"] is False
    later = now() + timedelta(hours=1, seconds=1)
    monkeypatch.setattr("supportbot.accounts.hosted_page_credentials.now", lambda: later)
    assert caller(granted["token"]).get("/api/v1/me").status_code == 401


def test_an_invalid_pass_is_refused(channel: NewChannel, workspace: Workspace) -> None:
    granted = redeemed(channel, code_for(channel, token=identity_token(channel)))
    passed = granted["token"]
    near = create_channel(workspace, "Near", allowed_origins=[PAGE_ORIGIN])
    assert ask_for_ticket({"channel": near.channel.key, "token": passed}).status_code == 401
    body = {"channel": channel.channel.key, "token": passed}
    assert post(CODES, body).status_code == 401  # otherwise, a chain of codes could extend it forever
    for forged in (passed[:-2] + "xx", "hp_", "hp_x:y:z", "hp_\ud800", passed + "ä"):
        assert ask_for_ticket({"channel": channel.channel.key, "token": forged}).status_code in (400, 401)
    Channel.objects.filter(pk=channel.channel.pk).update(is_live=False)
    assert caller(passed).get("/api/v1/me").status_code == 401
    Channel.objects.filter(pk=channel.channel.pk).update(is_live=True)
    assert caller(passed).get("/api/v1/me").status_code == 200
    call_command("forget_customer", "cus_alice", "--workspace", workspace.slug)
    assert caller(passed).get("/api/v1/me").status_code == 401


def test_expired_codes_are_deleted(channel: NewChannel) -> None:
    code_for(channel, token=identity_token(channel))
    purge()
    assert PageCode.objects.count() == 1
    PageCode.objects.update(expires_at=now() - one_time_codes.RETENTION_AFTER_EXPIRY - timedelta(seconds=1))
    purge()
    assert not PageCode.objects.exists()


def test_pages_of_known_origins_can_read_the_response(channel: NewChannel) -> None:
    answer = post(CODES, {"channel": channel.channel.key, "token": identity_token(channel)})
    assert answer["Access-Control-Allow-Origin"] == PAGE_ORIGIN and answer["Cache-Control"] == "no-store"
    foreign = post(CODES, {"channel": channel.channel.key}, origin="https://evil.test")
    assert "Access-Control-Allow-Origin" not in foreign
