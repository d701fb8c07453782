"""An obedient model, which answers a request to refund an amount of an order by calling that tool."""

import json
import re
from typing import Any

from tests.modelserver import Behaviour, ModelServer
from tests.modelserver.behaviour import Call

_WISH = re.compile(r"Pay back ([0-9.]+) of ([A-Z0-9-]+)")


def refund(amount: str, order: str) -> str:
    """Return a request for a refund in words that this model understands."""
    return f"Pay back {amount} of {order}, please."


class ObligingModel(ModelServer):
    """A model whose answer depends only on the last message, since a killed process calls it again."""

    async def _chat(self, behaviour: Behaviour, body: dict[str, Any], writer: Any) -> None:
        await super()._chat(_answer_to(body), body, writer)


def _answer_to(body: dict[str, Any]) -> Behaviour:
    said = [str(message.get("content")) for message in body["messages"] if message["role"] == "user"]
    asked = _WISH.findall(said[-1]) if said else []
    if not asked or not body.get("tools"):
        return Behaviour(text="I can only pay back amounts.")
    amount, order = asked[-1]
    arguments = json.dumps({"order_id": order, "amount": amount, "reason": "chaos"})
    return Behaviour(text="", calls=(Call("refund_order", arguments),), finish_reason="tool_calls")
