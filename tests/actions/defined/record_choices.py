"""Definitions whose arguments are chosen from records: the customer's orders, or the goods of a public list."""

from collections.abc import Callable
from typing import Any

from actions.definitions.references import with_renamed
from tests.actions.defined.conftest import document
from tests.actions.defined.loopback_shop import LoopbackShop

Put = Callable[[dict[str, Any]], None]
WISH = "I want to call off something that I bought"
FIRST, SECOND = "#W0000001", "#W0000002"
ORDERS = {"list": "customer.orders", "as": "one", "value": "one", "words": {"en": "Order {one}"}}
NAME, QUESTION = "get_order_details", "How far is my parcel?"


def call_off(**choosing: Any) -> dict[str, Any]:
    """Return an action about one of the orders that the customer's own record lists."""
    made = document() | {"examples": {"en": [WISH, "Please call off my purchase"]}, "title": {"en": "Call off"}}
    made["arguments"] = {
        "order_id": {"type": "string", "description": "The order.", "choose_from": ORDERS | choosing},
        "reason": made["arguments"]["reason"],
    }
    made["lookups"] = [
        {
            "name": "customer", "owner": "customer.user_id", "call": {"method": "GET", "path": "/users/{identity.sub}"},
            "otherwise": {"code": "no_customer", "words": {"en": "We do not know you."}},
        }
    ]  # fmt: skip
    made["values"] = {"number": "first(customer.orders, o, o == arguments.order_id)"}
    made["guards"] = [
        {
            "name": "is_theirs", "require": "arguments.order_id in customer.orders", "code": "not_theirs",
            "words": {"en": "There is no order {arguments.order_id} in your account."},
        }
    ]  # fmt: skip
    made["subject"] = {"kind": "order", "id": "number"}
    made["money"] = {"amount": "20.10", "currency": "'USD'"}
    made["call"] = {**made["call"], "path": "/orders/{number}/cancel"}
    made["card"] = {**made["card"], "title": {"en": "Call off {number}"}, "summary": {"en": "Call off {number}."}}
    made["card"]["rows"] = [{"label": {"en": "Order"}, "value": "number"}]
    return made


def call_off_but_keep() -> dict[str, Any]:
    """Return an action with two arguments whose choices come from the same list."""
    made = call_off()
    kept = {"type": "string", "description": "The one to keep.", "choose_from": ORDERS}
    own = made["arguments"]
    return made | {"arguments": {"order_id": own["order_id"], "kept_id": kept, "reason": own["reason"]}}


def cancel_with_gift() -> dict[str, Any]:
    """Return an action about an order that the customer names, with a choice from a public list: that order's goods."""
    made = document() | {"examples": {"en": [WISH]}, "title": {"en": "Call off"}}
    gift = {
        "list": "values(goods.variants)", "as": "one", "value": "one.item_id", "words": {"en": "{one.options.colour}"},
    }  # fmt: skip
    made["arguments"] = {
        "gift": {"type": "string", "label": {"en": "Gift"}, "description": "A gift.", "choose_from": gift},
        "purchase": made["arguments"]["order_id"] | {"label": {"en": "Purchase number"}},
        "reason": made["arguments"]["reason"],
    }
    made = with_renamed(made, {"order_id": "purchase"})
    product = {"method": "GET", "path": "/products/{order.items[0].product_id}"}
    made["lookups"].append({"name": "goods", "public": True, "call": product})
    made["guards"].append({
        "name": "is_offered", "require": "any(values(goods.variants), v, v.item_id == arguments.gift)",
        "code": "not_offered", "words": {"en": "This is not on offer."},
    })  # fmt: skip
    made["call"]["body"] |= {"gift": "{arguments.gift}"}
    made["card"]["rows"].append({"label": {"en": "Gift"}, "value": "arguments.gift"})
    return made


def with_open_guard() -> dict[str, Any]:
    """Return the action with a gift that only its public list restricts."""
    made = cancel_with_gift()
    made["guards"].pop()
    return made


def goods_of(retail: LoopbackShop, *ids: Any) -> None:
    """Let the order's product have these variants, by `item_id`."""
    variants = {str(place): {"item_id": one, "options": {"colour": "red"}} for place, one in enumerate(ids)}
    retail.records.records["products"]["5000000001"]["variants"] = variants


def how_far(**argument: Any) -> dict[str, Any]:
    """Return a look-up of one of the orders that the customer's own record lists."""
    made = document(NAME) | {"title": {"en": "How far it is"}, "examples": {"en": [QUESTION, "Where is my parcel?"]}}
    own = {"type": "string", "label": {"en": "Parcel"}, "description": "The parcel.", "choose_from": ORDERS}
    made["arguments"] = {"parcel": own | argument}
    made["lookups"] = [
        {
            "name": "customer", "owner": "customer.user_id", "call": {"method": "GET", "path": "/users/{identity.sub}"},
            "otherwise": {"code": "no_customer", "words": {"en": "We do not know you."}},
        },
        {
            "name": "order", "owner": "order.user_id", "call": {"method": "GET", "path": "/orders/{arguments.parcel}"},
            "otherwise": {"code": "not_found", "words": {"en": "There is no parcel {arguments.parcel} of yours."}},
        },
    ]  # fmt: skip
    made["result"] = {
        "fields": [{"name": "status", "label": {"en": "Status"}, "value": "order.status"}],
        "words": {"en": "Your parcel {order.order_id}:"},
    }
    return made
