"""The storefront without scripts: everything except the chat works, and nobody sees other customers' data."""

import re

import pytest

from tests.shop.browsing import Visitor
from tests.shop.process import CHANNEL_KEY, PLATFORM_URL, ShopProcess

MARA, JONAS = "cus_1001", "cus_1002"


@pytest.fixture
def visitor(shop: ShopProcess) -> Visitor:
    return Visitor(shop)


def test_a_newcomer_sees_the_shop(visitor: Visitor) -> None:
    assert visitor.open("/").status == 200
    assert "This is a demo shop: nothing is sold here." in visitor.words
    for name, price in (("Kestrel 2", "€389"), ("Pebble", "€54"), ("Lichen", "€79")):
        assert f"{name} {price}" in visitor.words


def test_the_storefront_is_in_german_for_german_readers(any_shop: ShopProcess) -> None:
    visitor = Visitor(any_shop, language="de-AT,de;q=0.9")
    visitor.open("/")
    assert '<html lang="de">' in visitor.page
    assert "Kestrel 2 389 €" in visitor.words
    visitor.send("/language", language="en", next="/ledger")
    assert '<html lang="en">' in visitor.page
    assert "Refunds" in visitor.words


def test_the_chat_uses_the_browsers_language_until_one_is_chosen(any_shop: ShopProcess) -> None:
    visitor = Visitor(any_shop, language="fr-CA,fr;q=0.9,en;q=0.5")
    visitor.open("/")
    assert '<html lang="en">' in visitor.page and 'data-locale="fr-ca"' in visitor.page
    visitor.send("/language", language="de", next="/")
    assert 'data-locale="de"' in visitor.page


def test_the_chat_writes_dates_as_the_pages_in_its_language_do(any_shop: ShopProcess) -> None:
    visitor = Visitor(any_shop, language="en-US,en;q=0.9")
    visitor.open("/")
    assert 'data-locale="en"' in visitor.page


def test_the_language_switch_never_leads_to_another_host(visitor: Visitor) -> None:
    visitor.open("/")
    visitor.send("/language", language="de", next="https://evil.example/")
    assert "Für jedes Wetter." in visitor.words


def test_a_customer_signs_in_and_sees_their_own_orders(visitor: Visitor) -> None:
    visitor.sign_in(MARA)
    assert "Signed in as Mara Lindner." in visitor.words
    assert re.findall(r"<bdi>(WF-\d+)</bdi>", visitor.page) == ["WF-20431", "WF-20418", "WF-20404", "WF-20262"]
    assert "Total €258.00 Refunded €0.00 Paid with Visa •••• 4417" in visitor.words
    assert "The parcel has left, so its address can no longer be changed" in visitor.words
    assert re.search(r"\b5\d days left to return", visitor.words)
    assert re.search(r"The return period ended on \d+ \w+ 2\d\d\d", visitor.words)


def test_a_german_customer_is_addressed_in_german(visitor: Visitor) -> None:
    visitor.sign_in(JONAS)
    assert "Angemeldet als Jonas Weber." in visitor.words
    assert "Summe 288,00 € Erstattet 0,00 € Bezahlt mit Mastercard •••• 2093" in visitor.words
    assert "Die Adresse lässt sich ändern, bis das Paket losgeht" in visitor.words


def test_an_ordered_variant_is_named_in_the_language_of_the_page(visitor: Visitor) -> None:
    visitor.sign_in(MARA)
    assert "Kestrel 2, amber" in visitor.words
    visitor.send("/language", language="de", next="/orders")
    assert "Kestrel 2, bernstein" in visitor.words


def test_a_refund_is_shown_next_to_its_item(shop: ShopProcess) -> None:
    item = {"items": [{"sku": "ALDER-M"}], "amount": "69.00", "currency": "EUR", "reason": "Damaged", "key": "k1"}
    shop.signed_post("/merchant/v1/refunds", {"order": "WF-20418", "customer": MARA, **item})
    visitor = Visitor(shop)
    visitor.sign_in(MARA)
    assert "Merino base layer Refunded €69.00" in visitor.words
    assert "Total €258.00 Refunded €69.00" in visitor.words


def test_a_refund_of_the_whole_order_is_shown_at_each_item(shop: ShopProcess) -> None:
    whole = {"amount": "258.00", "currency": "EUR", "reason": "Damaged", "key": "k1"}
    shop.signed_post("/merchant/v1/refunds", {"order": "WF-20418", "customer": MARA, **whole})
    visitor = Visitor(shop)
    visitor.sign_in(MARA)
    assert "<s>€189.00</s>" in visitor.markup and "<s>€69.00</s>" in visitor.markup
    assert "Hiking boots, leather Refunded €189.00" in visitor.words
    assert "Everything has been refunded" in visitor.words


def test_a_cancelled_order_is_labelled(shop: ShopProcess) -> None:
    shop.signed_post("/merchant/v1/orders/WF-20444/cancel", {"key": "k1"})
    visitor = Visitor(shop)
    visitor.sign_in(JONAS)
    assert "Die Bestellung wurde storniert" in visitor.words
    assert visitor.markup.count("<s>") == 2


@pytest.mark.long
def test_all_customers_have_an_orders_page(any_shop: ShopProcess) -> None:
    """Every status, currency and number of items of the seed can be shown."""
    for customer in any_shop.get("/api/customers").json["customers"]:
        assert Visitor(any_shop).sign_in(customer["id"]).status == 200, customer


def test_orders_need_a_login(visitor: Visitor) -> None:
    visitor.open("/orders")
    assert "Who would you like to be?" in visitor.words
    visitor.sign_in(MARA)
    visitor.send("/account/sign-out")
    assert "You are a visitor." in visitor.words
    visitor.open("/orders")
    assert "Who would you like to be?" in visitor.words


def test_signing_out_ends_the_session_itself(visitor: Visitor) -> None:
    visitor.sign_in(MARA)
    kept = dict(visitor.cookies)
    visitor.send("/account/sign-out")
    visitor.cookies = kept
    visitor.open("/orders")
    assert "Who would you like to be?" in visitor.words


@pytest.mark.parametrize("customer", ["cus_9999", "", "cus\x00_1001"])
def test_nobody_can_sign_in_as_an_unknown_customer(visitor: Visitor, customer: str) -> None:
    assert visitor.sign_in(customer).status == 404
    assert "There is no such customer." in visitor.words
    assert "You are a visitor." in visitor.words


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "path", ["/account/sign-in", "/account/sign-out", "/account/chat-token", "/ledger/faults", "/ledger/reset"]
)
def test_a_form_without_its_token_changes_nothing(shop: ShopProcess, path: str) -> None:
    shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "k1"})
    visitor = Visitor(shop)
    visitor.sign_in(MARA)
    for fields in ({}, {"csrfmiddlewaretoken": "x" * 64}):
        assert visitor.post(path, customer=JONAS, fail_next="3", **fields).status == 403
        assert "Nothing was changed" in visitor.words
    visitor.open("/orders")
    assert "Signed in as Mara Lindner." in visitor.words
    assert shop.get("/api/faults").json["fail_next"] == 0
    assert len(shop.ledger()["changes"]) == 1


def test_a_form_of_another_origin_is_refused(visitor: Visitor) -> None:
    visitor.open("/sign-in")
    headers = {"Origin": "http://127.0.0.1:1"}
    fields = {"csrfmiddlewaretoken": visitor.token, "customer": MARA}
    assert visitor.post("/account/sign-in", headers=headers, **fields).status == 403


@pytest.mark.parametrize("path", ["/", "/orders", "/ledger", "/sign-in"])
def test_pages_only_accept_get_and_forms_only_post(visitor: Visitor, path: str) -> None:
    visitor.open("/")
    assert visitor.post(path, csrfmiddlewaretoken=visitor.token).status == 405


@pytest.mark.parametrize("path", ["/account/sign-in", "/ledger/reset", "/account/chat-token"])
def test_a_link_changes_nothing(visitor: Visitor, path: str) -> None:
    assert visitor.open(path).status == 405


def test_pages_load_the_widget_and_restrict_it_by_policy(visitor: Visitor) -> None:
    answer = visitor.open("/")
    assert f'<script async src="{PLATFORM_URL}/widget/v1.js" data-channel="{CHANNEL_KEY}"' in visitor.markup
    rules = dict(rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; "))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == f"'self' {PLATFORM_URL}"
    assert rules["connect-src"] == f"'self' {PLATFORM_URL} {PLATFORM_URL.replace('http', 'ws')}"
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_pages_contain_nothing_that_the_policy_forbids(visitor: Visitor) -> None:
    visitor.sign_in(MARA)
    for path in ("/", "/orders", "/ledger", "/sign-in", "/nothing"):
        visitor.open(path)
        assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:|<script(?![^>]* src=)", visitor.page), path


def test_cookies_are_the_shops_own_and_hidden_from_scripts(visitor: Visitor, any_shop: ShopProcess) -> None:
    """Cookies of 127.0.0.1 are shared by all ports, so usual names would overwrite the platform's cookies."""
    visitor.sign_in(JONAS)
    names = {f"wrenfell_{any_shop.port}_{name}" for name in ("session", "csrf", "language")}
    assert set(visitor.cookies) == names
    answer = any_shop.get("/")
    assert "HttpOnly" in answer.headers["set-cookie"]


@pytest.mark.parametrize("name", ["shop.css", "tokens.css", "chat.js", "live.js", "icons.svg", "drawings.svg"])
def test_files_have_their_type(any_shop: ShopProcess, name: str) -> None:
    answer = any_shop.get(f"/static/{name}")
    assert answer.status == 200
    wanted = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}[name.partition(".")[2]]
    assert answer.headers["content-type"].startswith(wanted)


@pytest.mark.parametrize("path", ["/nothing", "/static/nothing.css", "/static/..%2fsettings.py", "/static/../urls.py"])
def test_missing_pages_are_not_found(visitor: Visitor, path: str) -> None:
    assert visitor.open(path).status == 404
    assert "There is no such page in this shop." in visitor.words
