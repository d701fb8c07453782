"""The HTTP connector, for a merchant API with calls signed by Standard Webhooks (examples/shop is one)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlsplit

from standardwebhooks import Webhook

from actions.errors import MerchantUnavailable, NotConnected
from actions.facts import Order
from actions.merchant_api.order_parsing import InvalidOrder, parse_order
from actions.merchant_api.port import DidNot, Found, Happened, NeverSeen, Outcome, Unclear
from actions.models import MerchantConnection
from actions.outcomes import is_finished
from actions.spec import Call
from supportbot.accounts.field_checks import is_language_code
from supportbot.accounts.models import Channel
from supportbot.ids import uuid7
from supportbot.outbound.errors import NoAnswer, NotSent
from supportbot.outbound.http import MIB, Request, request

READ_SECONDS: Final = 4.0
RUN_SECONDS: Final = 8.0
MAX_RESPONSE_BYTES: Final = MIB
# The merchant asks to try again later: nothing was done.
_RETRY_LATER: Final = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: Any  # parsed JSON


def connected_merchant() -> "HttpMerchant":
    """Return the current workspace's merchant; raises NotConnected."""
    connection = MerchantConnection.objects.first()
    if connection is None:
        raise NotConnected()
    base_url, own = connection.base_url.rstrip("/"), urlsplit(connection.base_url)
    # The origins of the shop's own pages: its API's origin, and the origins where the chat may be embedded.
    pages = {origin for origins in Channel.objects.values_list("allowed_origins", flat=True) for origin in origins}
    return HttpMerchant(base_url, connection.secret, frozenset({f"{own.scheme}://{own.netloc}", *pages}))


@dataclass(frozen=True, slots=True)
class HttpMerchant:
    base_url: str
    secret: str
    origins: frozenset[str] = frozenset()  # origins of the shop's pages

    def order(self, order_id: str, *, locale: str = "") -> Order | None:
        answer = self._get(f"/orders/{quote(order_id, safe='')}", locale)
        return None if answer.status == 404 else self._order(answer.body)

    def orders_of(self, customer: str, *, locale: str = "") -> tuple[Order, ...]:
        answer = self._get(f"/customers/{quote(customer, safe='')}/orders", locale)
        if answer.status == 404:
            return ()
        listed = answer.body.get("orders") if isinstance(answer.body, dict) else None
        if not isinstance(listed, list):
            raise MerchantUnavailable()
        return tuple(self._order(entry) for entry in listed)

    def run(self, call: Call, *, idempotency_key: str) -> Outcome:
        path, body = _build_request(call, idempotency_key)
        try:
            answer = self._send("POST", path, json.dumps(body).encode(), RUN_SECONDS)
        except NotSent as error:
            return DidNot("not_sent", str(error), is_final=False)
        except NoAnswer as error:
            return Unclear(str(error), was_answered=is_finished(error.status))
        return _parse_outcome(answer)

    def find(self, idempotency_key: str) -> Found:
        try:
            answer = self._send("GET", f"/operations/{quote(idempotency_key, safe='')}", b"", READ_SECONDS)
        except (NotSent, NoAnswer) as error:
            return Unclear(str(error))
        if answer.status == 404:
            return NeverSeen()
        return _parse_operation(answer.body) if answer.status == 200 else Unclear(f"returned {answer.status}")

    def _get(self, path: str, locale: str) -> Answer:
        try:
            answer = self._send("GET", path, b"", READ_SECONDS, locale)
        except (NotSent, NoAnswer) as error:
            raise MerchantUnavailable() from error
        if answer.status not in (200, 404):
            raise MerchantUnavailable()
        return answer

    def _order(self, data: Any) -> Order:
        try:
            return parse_order(data, origins=self.origins)
        except InvalidOrder as error:
            raise MerchantUnavailable() from error

    def _send(self, method: str, path: str, body: bytes, seconds: float, locale: str = "") -> Answer:
        headers = {"Content-Type": "application/json", "Accept": "application/json", **_signed(self.secret, body)}
        # An invalid header would make the whole query fail.
        headers |= {"Accept-Language": locale} if is_language_code(locale) else {}
        return _exchange(method, self.base_url + path, body=body, headers=headers, deadline_seconds=seconds)


def _exchange(method: str, url: str, *, body: bytes, headers: Mapping[str, str], deadline_seconds: float) -> Answer:
    """Send one request and return the JSON response, whatever its status; raises NotSent or NoAnswer."""
    outgoing = Request(method, url, headers, body, timeout_seconds=deadline_seconds, max_bytes=MAX_RESPONSE_BYTES)
    response = request(outgoing)
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise NoAnswer(f"returned {response.status} without JSON", status=response.status)
    try:
        return Answer(response.status, json.loads(response.body))
    except (ValueError, RecursionError) as error:
        raise NoAnswer(f"returned {response.status} with broken JSON", status=response.status) from error


def _signed(secret: str, body: bytes) -> dict[str, str]:
    message_id, moment = f"msg_{uuid7()}", datetime.now(UTC)
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(moment.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, moment, body.decode()),
    }


def _build_request(call: Call, key: str) -> tuple[str, dict[str, Any]]:
    order = quote(call.order, safe="")
    body = {**call.fields, "customer": call.customer, "key": key}
    match call.kind:
        case "refund":
            return "/refunds", {**body, "order": call.order}
        case "change_address":
            return f"/orders/{order}/address", body
        case "cancel":
            return f"/orders/{order}/cancel", body
    raise ValueError(f"the merchant API has no command {call.kind}")


def _parse_outcome(answer: Answer) -> Outcome:
    if answer.status == 200 and isinstance(answer.body, dict):
        return Happened(answer.body)
    # 409: the key is already known with different content. Only `find` can determine its outcome.
    if 400 <= answer.status < 500 and answer.status != 409:
        return _parse_refusal(answer.body, answer.status)
    return Unclear(f"returned {answer.status}", was_answered=is_finished(answer.status))


def _parse_refusal(body: Any, status: int) -> DidNot:
    error: Mapping[str, Any] = body if isinstance(body, dict) else {}
    code, message = _text(error, "code", 60) or f"http_{status}", _text(error, "message", 200)
    return DidNot(code, message, is_final=status not in _RETRY_LATER)


def _text(body: Mapping[str, Any], name: str, limit: int) -> str:
    value = body.get(name)
    return "".join(char for char in value if char.isprintable())[:limit] if isinstance(value, str) else ""


def _parse_operation(body: Any) -> Found:
    """Parse `{"state": "done"|"refused", "status", "result"}`; anything else is unclear."""
    if isinstance(body, dict) and isinstance(body.get("result"), dict):
        if body.get("state") == "done":
            return Happened(body["result"])
        if body.get("state") == "refused":
            return _parse_refusal(body["result"], 422)
    return Unclear("unexpected answer")
