"""The token of the login session: always for the customer signed in on this browser, whatever the page requests."""

import jwt
import pytest

from tests.shop.browsing import Visitor
from tests.shop.process import CHANNEL_KEY, IDENTITY_SECRET, ShopProcess


@pytest.fixture
def visitor(any_shop: ShopProcess) -> Visitor:
    return Visitor(any_shop)


def claims(token: str) -> dict[str, object]:
    return dict(jwt.decode(token, IDENTITY_SECRET, algorithms=["HS256"], audience=CHANNEL_KEY))


def test_the_token_names_the_signed_in_customer(visitor: Visitor) -> None:
    visitor.sign_in("cus_1006")
    signed = claims(visitor.chat_token().json["token"])
    assert (signed["sub"], signed["name"], signed["locale"]) == ("cus_1006", "Élodie Garnier", "fr")
    visitor.sign_in("cus_1002")
    assert claims(visitor.chat_token().json["token"])["sub"] == "cus_1002"


def test_without_a_login_there_is_no_token(visitor: Visitor) -> None:
    visitor.open("/")
    assert (visitor.chat_token().status, visitor.chat_token().code) == (401, "signed_out")
    visitor.sign_in("cus_1006")
    visitor.send("/account/sign-out")
    assert visitor.chat_token().status == 401


def test_the_page_cannot_request_another_customers_token(visitor: Visitor) -> None:
    visitor.sign_in("cus_1006")
    answer = visitor.send("/account/chat-token", customer="cus_1001")
    assert claims(answer.json["token"])["sub"] == "cus_1006"


def test_the_token_request_needs_the_forms_token(visitor: Visitor) -> None:
    visitor.sign_in("cus_1006")
    assert visitor.chat_token("x" * 64).status == 403


def test_a_reset_keeps_the_login(shop: ShopProcess) -> None:
    visitor = Visitor(shop)
    visitor.sign_in("cus_1006")
    assert shop.post("/api/reset", {}).status == 200
    assert claims(visitor.chat_token().json["token"])["sub"] == "cus_1006"


@pytest.mark.long
def test_a_restart_keeps_the_login(own_shop: ShopProcess) -> None:
    visitor = Visitor(own_shop)
    visitor.sign_in("cus_1006")
    own_shop.stop()
    own_shop.start()
    assert claims(visitor.chat_token().json["token"])["sub"] == "cus_1006"
