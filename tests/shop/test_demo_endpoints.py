"""The endpoints for the storefront and for scripts: their responses, and callers that are refused."""

import jwt
import pytest

from tests.shop.process import CHANNEL_KEY, IDENTITY_SECRET, ShopProcess

JSON = {"Content-Type": "application/json"}


def test_a_token_names_the_customer_to_one_channel_for_an_hour(any_shop: ShopProcess) -> None:
    token = any_shop.post("/api/token", {"customer": "cus_1006"}).json["token"]
    assert jwt.get_unverified_header(token)["alg"] == "HS256"
    claims = jwt.decode(token, IDENTITY_SECRET, algorithms=["HS256"], audience=CHANNEL_KEY)
    assert claims["sub"] == "cus_1006"
    assert (claims["name"], claims["locale"]) == ("Élodie Garnier", "fr")
    assert claims["email"] == "elodie.garnier@mail.example"
    assert claims["exp"] - claims["iat"] == 3600


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"customer": "cus_9999"}, 404, None),
        ({}, 400, "customer"),
        ({"customer": 1001}, 400, "customer"),
        ({"customer": "  "}, 400, "customer"),
        ({"customer": "cus\x00_1001"}, 400, "customer"),
        ({"customer": "\ud800"}, 400, "customer"),
        ({"customer": "cus_1001", "sub": "cus_1002"}, 400, "sub"),
    ],
)
def test_an_invalid_request_gets_no_token(any_shop: ShopProcess, body: object, status: int, field: str | None) -> None:
    answer = any_shop.post("/api/token", body)
    assert answer.status == status
    assert answer.code
    assert list(answer.json["fields"]) == ([field] if field else [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'["cus_1001"]', 400),
        (b'{"customer": NaN}', 400),
        (b'{"customer": "\xff"}', 400),
        (b"[" * 50_000, 400),
        (b'{"customer": "' + b"x" * 70_000 + b'"}', 413),
    ],
)
def test_a_body_that_is_not_a_json_object_is_refused(any_shop: ShopProcess, body: bytes, status: int) -> None:
    answer = any_shop.request("POST", "/api/token", body, JSON)
    assert answer.status == status
    assert answer.code in {"invalid_input", "too_large"}


def test_a_customers_orders_are_listed_newest_first(any_shop: ShopProcess) -> None:
    orders = any_shop.get("/api/orders?customer=cus_1001").json["orders"]
    assert [order["id"] for order in orders] == ["WF-20431", "WF-20418", "WF-20404", "WF-20262"]
    assert {order["customer"] for order in orders} == {"cus_1001"}


@pytest.mark.parametrize(("query", "status"), [("", 400), ("?customer=", 400), ("?customer=cus_9999", 404)])
def test_orders_of_an_unknown_customer(any_shop: ShopProcess, query: str, status: int) -> None:
    answer = any_shop.get(f"/api/orders{query}")
    assert answer.status == status
    assert answer.code


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "localhost.evil.example", "[::1]"])
def test_a_name_that_points_at_this_machine_is_refused(any_shop: ShopProcess, host: str) -> None:
    answer = any_shop.request("GET", "/api/customers", headers={"Host": host})
    assert answer.status == 400
    assert answer.code == "host_not_allowed"


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://127.0.0.1:1", "https://localhost:{port}"])
def test_a_page_of_another_origin_is_refused(any_shop: ShopProcess, origin: str) -> None:
    headers = {"Origin": origin.format(port=any_shop.port), **JSON}
    answer = any_shop.request("POST", "/api/token", b'{"customer": "cus_1001"}', headers)
    assert answer.status == 403
    assert answer.code == "origin_not_allowed"
    assert any_shop.request("GET", "/api/orders?customer=cus_1001", headers=headers).status == 403


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_shops_own_page_gets_no_cors_header(any_shop: ShopProcess, name: str) -> None:
    own = f"{name}:{any_shop.port}"
    headers = {"Host": own, "Origin": f"http://{own}", **JSON}
    answer = any_shop.request("POST", "/api/token", b'{"customer": "cus_1001"}', headers)
    assert answer.status == 200
    assert not [header for header in answer.headers if header.startswith("access-control")]


@pytest.mark.parametrize("content_type", [None, "text/plain", "application/x-www-form-urlencoded"])
@pytest.mark.parametrize("path", ["/api/token", "/api/faults", "/api/reset", "/merchant/v1/refunds"])
def test_only_json_can_be_posted(any_shop: ShopProcess, path: str, content_type: str | None) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    answer = any_shop.request("POST", path, b'{"customer": "cus_1001"}', headers)
    assert answer.status == 415
    assert answer.code == "unsupported_media_type"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/api/token", "POST"),
        ("GET", "/api/reset", "POST"),
        ("DELETE", "/api/customers", "GET"),
        ("PUT", "/merchant/v1/refunds", "POST"),
        ("DELETE", "/merchant/v1/orders/WF-20418", "GET"),
    ],
)
def test_each_address_has_one_method(any_shop: ShopProcess, method: str, path: str, allowed: str) -> None:
    answer = any_shop.request(method, path)
    assert answer.status == 405
    assert answer.code == "method_not_allowed"
    assert answer.headers["allow"] == allowed


def test_an_unknown_address_is_not_found(any_shop: ShopProcess) -> None:
    answer = any_shop.get("/api/nothing")
    assert answer.status == 404
    assert answer.code == "not_found"


def test_a_reset_undoes_everything(shop: ShopProcess) -> None:
    before = shop.get("/api/orders?customer=cus_1005").json
    shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "k1"})
    shop.post("/api/faults", {"fail_next": 5})
    assert shop.get("/api/orders?customer=cus_1005").json != before

    assert shop.post("/api/reset", {}).status == 200
    assert shop.get("/api/orders?customer=cus_1005").json == before
    assert shop.ledger() == {"refunds": [], "changes": []}
    assert shop.signed_get("/merchant/v1/operations/k1").status == 404


def test_a_reset_refuses_unknown_fields(shop: ShopProcess) -> None:
    shop.signed_post("/merchant/v1/orders/WF-20440/cancel", {"key": "k1"})
    assert shop.post("/api/reset", {"only": "ledger"}).json["fields"] == {"only": ["This field is unknown."]}
    assert len(shop.ledger()["changes"]) == 1


def test_the_root_explains_what_this_is(any_shop: ShopProcess) -> None:
    assert "demo shop" in any_shop.get("/").text
    assert any_shop.get("/healthz").json == {"status": "ok"}
