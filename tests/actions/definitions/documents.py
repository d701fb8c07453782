"""Complete definitions for tests, and a function that changes one of their values."""

import copy
import re
from typing import Any

EXCHANGE: dict[str, Any] = {
    "format": 1,
    "name": "exchange_item",
    "kind": "write",
    "risk": "money",
    "title": {"en": "Exchange items", "de": "Artikel umtauschen"},
    "description": {"en": "Exchange items of a delivered order.", "de": "Artikel einer Bestellung umtauschen."},
    "examples": {"en": ["I want another size", "Exchange the shoes of order A-1"]},
    "connection": "shop",
    "arguments": {
        "order_id": {
            "type": "string", "from": "customer", "label": {"en": "Order number", "de": "Bestellnummer"},
            "description": "The order's number.", "pattern": "#?[A-Z0-9-]+",
            "max_length": 40, "example": "A-1001",
        },
        "reason": {
            "type": "choice", "description": "Why.",
            "options": [
                {"value": "no longer needed", "label": {"en": "Not needed", "de": "Nicht gebraucht"}},
                {"value": "other"},
            ],
        },
        "items": {
            "type": "list", "description": "What to exchange.", "min_items": 1, "max_items": 20,
            "of": {
                "type": "object",
                "fields": {"sku": {"type": "string"}, "count": {"type": "integer", "minimum": 1, "maximum": 9}},
            },
        },
        "gift": {"type": "flag", "required": False, "description": "Wrap it as a gift."},
        "day": {"type": "date", "required": False, "description": "When to collect it."},
        "amount": {"type": "money", "required": False, "description": "What was promised."},
        "ratio": {"type": "number", "required": False, "from": "model", "description": "A share.",
                  "minimum": "0", "maximum": "1"},
        "customer_id": {"type": "string", "from": "identity"},
        "currency": {"type": "string", "from": "server", "value": "order.currency"},
    },
    "lookups": [
        {
            "name": "order", "call": {"method": "GET", "path": "/orders/{arguments.order_id}"},
            "owner": "order.user_id", "absent": [404],
            "otherwise": {
                "code": "order_not_found",
                "words": {"en": "There is no order {arguments.order_id} in your account.",
                          "de": "Es gibt keine Bestellung {arguments.order_id}."},
            },
        },
        {
            "name": "variants", "for_each": "arguments.items", "as": "item", "at_most": 20, "public": True,
            "call": {"method": "GET", "path": "/items/{item.sku}"},
        },
    ],
    "subject": {"kind": "order", "id": "order.id"},
    "guards": [
        {
            "name": "pending", "require": 'order.status == "pending"', "code": "not_pending",
            "words": {"en": "Order {order.id} is {order.status}.", "de": "Bestellung {order.id} ist {order.status}."},
        }
    ],
    "money": {"amount": "max(sum(variants, v, v.price) - order.paid, 0)", "currency": "order.currency"},
    "call": {
        "method": "POST", "path": "/orders/{order.id}/exchange", "query": {"dry": "no"},
        "headers": {"X-Customer?": "{identity.email}"},
        "body": {"items": "{arguments.items}", "gift?": "{arguments.gift}"}, "key": {"header": "Idempotency-Key"},
    },
    "answer": {
        "happened": "status in [200, 201]",
        "did_not": "status >= 400 and status < 500 and status not in [408, 409, 425, 429]",
        "reason": "body.error",
    },
    "outcome": {
        "kind": "status_lookup", "call": {"method": "GET", "path": "/operations/{key}"},
        "happened": "status == 200 and body.state == 'done'", "did_not": "status == 200 and body.state == 'refused'",
        "never_seen": "status == 404", "in_progress": "body.state == 'pending' and body.order == arguments.order_id",
    },
    "card": {
        "title": {"en": "Exchange", "de": "Umtausch"},
        "summary": {"en": "Exchange items of {order.id} for {money}.",
                    "de": "Artikel aus {order.id} umtauschen, {money}."},
        "button": {"en": "Exchange", "de": "Umtauschen"},
        "rows": [{"label": {"en": "Order", "de": "Bestellung"}, "value": "order.id"}],
    },
    "receipt": [{"name": "reference", "label": {"en": "Reference", "de": "Zeichen"}, "value": "body.id"}],
    "limits": {"max_per_subject": "100.00", "approval_above": "50.00", "max_requests_per_customer_day": 3},
    "approval": {"when": "order.total > 500", "role": "lead", "approvers": 1},
    "undo": "cancel_exchange",
}  # fmt: skip

PRODUCT: dict[str, Any] = {
    "format": 1,
    "name": "stock",
    "kind": "read",
    "title": {"en": "Stock"},
    "description": {"en": "Whether a product is in stock."},
    "connection": "shop",
    "arguments": {"sku": {"type": "string", "description": "The product's number."}},
    "lookups": [{"name": "product", "public": True, "call": {"method": "GET", "path": "/products/{arguments.sku}"}}],
    "result": {
        "fields": [{"name": "left", "label": {"en": "In stock"}, "value": "product.stock"}],
        "words": {"en": "{product.stock} of {product.name} are in stock."},
    },
}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return a copy with a different value at a JSON path; Ellipsis removes the field."""
    result = copy.deepcopy(document)
    at: Any = result
    *keys, last = [int(key) if key.isdigit() else key for key in re.findall(r"[^.\[\]]+", path)]
    for key in keys:
        at = at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return result
