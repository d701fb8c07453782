"""The benchmark's shop, which the retail definitions call. It has no rules of its own, so it accepts every valid call.
Each conversation of an evaluation starts with the original records.
"""

import copy
import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlencode

from actions.connections.client import Call, Response
from actions.connections.decimal_json import from_json, to_json
from actions.definitions.evaluation_context import Answer, BackEndCall
from supportbot.evals.grading.value_equality import is_same

Records = dict[str, dict[str, Any]]
_OPERATIONS: Final = "/operations/"
CURRENCY: Final = "USD"  # the currency of the shop's prices


class RetailShop:
    def __init__(self, records: Mapping[str, Any]) -> None:
        self._before = records
        self.records: Records = copy.deepcopy(dict(records))
        self.changed: set[tuple[str, str]] = set()
        self.items = {
            item: {**variant, "product_id": product["product_id"]}
            for product in self.records["products"].values()
            for item, variant in product["variants"].items()
        }

    def ask(self, request: BackEndCall) -> Answer:
        path = [unquote(part) for part in request.path.strip("/").split("/")]
        if request.method == "GET":
            found = self._found(path, dict(parse_qsl(request.query)))
            return Answer(404) if found is None else Answer(200, found)
        body = json.loads(request.body or "{}", parse_float=Decimal)
        doing: dict[str, Callable[[str, Any], None]] = {
            "cancel": self._cancel, "payment": self._change_payment, "items": self._change_items,
            "exchanges": self._exchange, "returns": self._return, "address": self._move,
        }  # fmt: skip
        if path[-1] == "address" and path[0] == "customers":
            self._record("users", path[1])["address"] = body
        else:
            doing[path[-1]](path[1], body)
        return Answer(201, {"reference": "r-1"})

    def changes(self) -> dict[str, dict[str, Any]]:
        """Return the records that differ from the original ones."""
        result: dict[str, dict[str, Any]] = {}
        for kind, key in sorted(self.changed):
            if not is_same(self._before[kind][key], self.records[kind][key]):
                result.setdefault(kind, {})[key] = self.records[kind][key]
        return result

    def _found(self, path: list[str], query: dict[str, str]) -> Any:
        if path == ["customers"]:
            return next((user for user in self.records["users"].values() if _fits(user, query)), None)
        if path == ["products"]:
            return {product["name"]: product["product_id"] for product in self.records["products"].values()}
        kind, key = path
        return self.items.get(key) if kind == "items" else self.records[{"customers": "users"}.get(kind, kind)].get(key)

    def _record(self, kind: str, key: str) -> Any:
        self.changed.add((kind, key))
        return self.records[kind][key]

    def _book(self, order: Any, kind: str, amount: Any, method: str) -> None:
        order["payment_history"].append({"transaction_type": kind, "amount": amount, "payment_method_id": method})
        owned = self.records["users"][order["user_id"]]["payment_methods"][method]
        if owned["source"] == "gift_card":
            self.changed.add(("users", order["user_id"]))
            owned["balance"] = _number(owned["balance"]) + _number(amount) * (1 if kind == "refund" else -1)

    def _cancel(self, key: str, body: Any) -> None:
        order = self._record("orders", key)
        for payment in list(order["payment_history"]):
            self._book(order, "refund", payment["amount"], payment["payment_method_id"])
        order |= {"status": "cancelled", "cancel_reason": body["reason"]}

    def _move(self, key: str, body: Any) -> None:
        self._record("orders", key)["address"] = body

    def _change_payment(self, key: str, body: Any) -> None:
        order = self._record("orders", key)
        before = order["payment_history"][0]
        self._book(order, "payment", before["amount"], body["payment_method_id"])
        self._book(order, "refund", before["amount"], before["payment_method_id"])

    def _change_items(self, key: str, body: Any) -> None:
        order, difference = self._record("orders", key), _number(body["price_difference"])
        self._book(order, "payment" if difference > 0 else "refund", abs(difference), body["payment_method_id"])
        for old, new in zip(body["item_ids"], body["new_item_ids"], strict=True):
            item = next(item for item in order["items"] if item["item_id"] == old)
            item |= {"item_id": new, "price": self.items[new]["price"], "options": self.items[new]["options"]}
        order["status"] = "pending (item modified)"

    def _exchange(self, key: str, body: Any) -> None:
        self._record("orders", key).update(
            status="exchange requested", exchange_items=sorted(body["item_ids"]),
            exchange_new_items=sorted(body["new_item_ids"]), exchange_payment_method_id=body["payment_method_id"],
            exchange_price_difference=_number(body["price_difference"]),
        )  # fmt: skip

    def _return(self, key: str, body: Any) -> None:
        self._record("orders", key).update(
            status="return requested", return_items=sorted(body["item_ids"]),
            return_payment_method_id=body["payment_method_id"],
        )  # fmt: skip


def _fits(user: Any, query: dict[str, str]) -> bool:
    name = {key: value.lower() for key, value in user["name"].items()}
    known = {"email": user["email"].lower(), "zip": user["address"]["zip"], **name}
    return all(known.get(key) == value.lower() for key, value in query.items())


def _number(value: Any) -> Decimal:
    return Decimal(str(value))


class RetailMerchant:
    """The shop of one conversation. A repeated idempotency key gets the first response again."""

    def __init__(self, records: Mapping[str, Any]) -> None:
        self._shop = RetailShop(records)
        self._answers: dict[str, Response] = {}

    def send(self, call: Call) -> Response:
        body = to_json(call.body).decode() if call.body is not None else None
        key = call.headers.get("Idempotency-Key", "")
        if call.method == "GET" and call.path.startswith(_OPERATIONS):
            known = self._answers.get(call.path.removeprefix(_OPERATIONS))
            return Response(200, {}, {"state": "done", **known.body}) if known else Response(404, {}, None)
        if key and key in self._answers:
            return self._answers[key]
        found = self._shop.ask(BackEndCall(call.method, call.path, urlencode(call.query, doseq=True), body=body))
        answer = Response(found.status, {}, _through_json(found.body))
        if call.method != "GET" and key:
            self._answers[key] = answer
        return answer

    def changes(self) -> Mapping[str, Any]:
        changed: Mapping[str, Any] = json.loads(json.dumps(self._shop.changes(), default=_json_number))
        return changed


def _through_json(value: Any) -> Any:
    """Return a value as HTTP would deliver it: numbers with a decimal point are Decimal."""
    return None if value is None else from_json(json.dumps(value, default=_json_number).encode())


def _json_number(value: Any) -> float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} cannot be written as JSON")
    return float(value)


def merchants_from(folder: Path) -> Callable[[], RetailMerchant]:
    """Return a function that creates merchants with the records in a data folder. Raises OSError or ValueError."""
    records = _records(folder / "db.json")
    return lambda: RetailMerchant(records)


@cache
def _records(file: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
