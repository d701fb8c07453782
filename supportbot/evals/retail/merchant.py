"""The benchmark's shop as a merchant of evaluations: each conversation gets the records of the beginning."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from actions.connections.client import Call, Response
from actions.connections.jsontext import from_json, to_json
from actions.definitions.evaluation import Asked
from supportbot.evals.retail.records import RetailShop

_OPERATIONS: Final = "/operations/"


class RetailMerchant:
    """Stands in for the shop of one conversation. A repeated key gets its first answer."""

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
        found = self._shop.ask(Asked(call.method, call.path, urlencode(call.query, doseq=True), body=body))
        answer = Response(found.status, {}, _through_json(found.body))
        if call.method != "GET" and key:
            self._answers[key] = answer
        return answer

    def changes(self) -> Mapping[str, Any]:
        changed: Mapping[str, Any] = json.loads(json.dumps(self._shop.changes(), default=_number))
        return changed


def _through_json(value: Any) -> Any:
    """Return a value as it comes over HTTP: numbers with a point are Decimal."""
    return None if value is None else from_json(json.dumps(value, default=_number).encode())


def _number(value: Any) -> float:
    if not isinstance(value, Decimal):
        raise TypeError(f"{type(value).__name__} has no JSON")
    return float(value)


def merchants_from(folder: Path) -> Callable[[], RetailMerchant]:
    """Return what opens a new merchant with the records of a data folder. Raises OSError or ValueError."""
    records = _records(folder / "db.json")
    return lambda: RetailMerchant(records)


@cache
def _records(file: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return found
