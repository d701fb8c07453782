"""From a merchant's page to the hosted page: requesting a code, and redeeming it."""

import json
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpResponse
from django.test import Client

from supportbot.accounts.channels import NewChannel
from supportbot.accounts.origins import own_origins
from tests.widget.page import PAGE_ORIGIN

CODES, REDEEM = "/api/v1/widget/codes", "/api/v1/widget/codes/redeem"


def own_origin() -> str:
    return min(own_origins())


def post(address: str, body: dict[str, Any], *, origin: str | None = PAGE_ORIGIN, **headers: str) -> HttpResponse:
    sent = headers | ({"Origin": origin} if origin is not None else {})
    return Client(raise_request_exception=False).post(
        address, json.dumps(body), content_type="application/json", headers=sent
    )


def code_for(channel: NewChannel, **fields: Any) -> str:
    """Return the code in the page's address."""
    answer = post(CODES, {"channel": channel.channel.key, **fields})
    assert answer.status_code == 201, answer.content
    address = urlsplit(answer.json()["url"])
    assert address.path == f"/chat/{channel.channel.key}/" and address.query == ""
    return address.fragment.removeprefix("code=")


def redeem(channel: NewChannel, code: str, **fields: Any) -> HttpResponse:
    return post(REDEEM, {"channel": channel.channel.key, "code": code, **fields}, origin=own_origin())


def redeemed(channel: NewChannel, code: str, **fields: Any) -> dict[str, Any]:
    answer = redeem(channel, code, **fields)
    assert answer.status_code == 201, answer.content
    granted: dict[str, Any] = answer.json()
    return granted
