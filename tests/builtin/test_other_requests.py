"""Requests for something that no action of the shop does, such as an invoice. The examples are our own."""

import json
from pathlib import Path

import pytest

from supportbot.builtin import intents
from supportbot.builtin.actions.next_step import needs_account
from supportbot.builtin.phrases import say
from supportbot.llm.types import ModelRequest, ToolSpec
from tests.builtin.action_chat import HUMAN, ORDERS, Chat, catalogue

ROWS = Path(__file__).parents[2] / "examples/evaluation/other_requests.jsonl"
ORDER_NUMBER = {"type": "object", "properties": {"order_id": {"type": "string"}}, "required": ["order_id"]}
INVOICE = ToolSpec(
    "send_invoice", "Send the invoice of an order.", ORDER_NUMBER, title="Send the invoice",
    examples=("Send me the invoice for WF-20444", "I need an invoice", "Could I get a copy of my bill?",
              "Schicken Sie mir bitte die Rechnung", "Je voudrais ma facture", "Quiero la factura de mi pedido"),
)  # fmt: skip
PAUSE = ToolSpec(
    "pause_subscription", "Pause a subscription.", ORDER_NUMBER, title="Pause a subscription",
    examples=("Pause my subscription", "I want to pause my box for a month", "Please put my subscription on hold"),
)  # fmt: skip
LABEL = ToolSpec(
    "send_return_label", "Send a return label.", ORDER_NUMBER, title="Send a return label",
    examples=("Send me a return label", "I need a label to send this back", "Please e-mail me the return label"),
)  # fmt: skip
VOUCHER = ToolSpec(
    "send_voucher", "Send a voucher.", ORDER_NUMBER, title="Send a voucher",
    examples=("Send me a voucher", "I would like a gift voucher", "Please send a gift card to my sister"),
)  # fmt: skip
OTHERS = [
    ("I would like my invoice for WF-20414", "en"),
    ("Please repair my poles from WF-20410", "en"),
    ("I want to exchange the boots from WF-20418 for size 42", "en"),
    ("Ich brauche die Rechnung für WF-20361", "de"),
    ("Je voudrais un reçu pour WF-20414", "fr"),
    ("Necesito la factura del pedido WF-20410", "es"),
]


@pytest.mark.parametrize(("text", "language"), OTHERS)
def test_another_request_that_names_an_order_offers_no_action(text: str, language: str) -> None:
    assert intents.detect_intent(text, catalogue(language)) == intents.DetectedIntent()


def test_a_visitor_is_not_told_to_sign_in_for_another_request() -> None:
    request = ModelRequest("answer", (), (HUMAN,), catalogue(), question="Mi serve la fattura dell'ordine WF-20404")
    assert not needs_account(request)


@pytest.mark.parametrize(
    ("text", "action"),
    [
        ("Cancel WF-20444 and give me my money back", "cancel_order"),
        ("My jacket from WF-20418 is torn, please refund it, no repair", "refund_order"),
        ("Refund WF-20418 to the card I paid with", "refund_order"),
        ("I want to return the boots from WF-20418", "refund_order"),
    ],
)
def test_a_request_that_mentions_something_else_starts_its_action(text: str, action: str) -> None:
    assert intents.detect_intent(text, catalogue()).action == action


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Send me the invoice for WF-20404", "en"),
        ("Could I get a copy of the bill for WF-20410?", "en"),
        ("Schicken Sie mir bitte eine Kopie der Rechnung zu WF-20410", "de"),
        ("Envoyez-moi la facture de WF-20410", "fr"),
        ("Necesito la factura del pedido WF-20410", "es"),
    ],
)
def test_another_request_reaches_the_action_that_a_shop_defines_for_it(text: str, language: str) -> None:
    detected = intents.detect_intent(text, (*catalogue(language), INVOICE))
    assert INVOICE.name in (detected.action, *detected.candidates[:1])
    assert "refund_order" not in (detected.action, *detected.candidates)


def test_an_action_for_something_else_takes_no_other_requests() -> None:
    tools = (*catalogue(), INVOICE)
    assert intents.detect_intent("Please refund order WF-20410", tools).action == "refund_order"
    assert intents.detect_intent("How do I get an invoice?", tools).action == ""


def test_a_request_next_to_another_one_concerns_only_its_own_order() -> None:
    _, calls = Chat(orders=ORDERS).send("Refund WF-20418 and send me the invoice for WF-20404")
    assert [(name, arguments["order_id"]) for name, arguments in calls] == [("refund_order", "WF-20418")]


@pytest.mark.parametrize("own", [(PAUSE,), (LABEL,), (PAUSE, LABEL, VOUCHER)])
def test_another_request_is_no_second_refund_if_the_shop_has_actions_of_its_own(own: tuple[ToolSpec, ...]) -> None:
    chat = Chat(tools=(*catalogue(), *own), orders=ORDERS)
    _, calls = chat.send("Refund WF-20418 and send me the invoice for WF-20404")
    assert [(name, arguments["order_id"]) for name, arguments in calls] == [("refund_order", "WF-20418")]


@pytest.mark.parametrize("own", [(PAUSE,), (LABEL,), (VOUCHER,)])
@pytest.mark.parametrize("text", ["Send me the invoice for WF-20404", "I want my invoice", *(row[0] for row in OTHERS)])
def test_an_action_of_the_shop_is_not_started_for_lack_of_rivals(text: str, own: tuple[ToolSpec, ...]) -> None:
    assert intents.detect_intent(text, (*catalogue(), *own)).action == ""


def test_a_tool_without_examples_is_never_meant() -> None:
    bare = ToolSpec("bare", "Do something.", ORDER_NUMBER)
    detected = intents.detect_intent("Mi serve la fattura dell'ordine WF-20404", (HUMAN, bare, *catalogue("it"), LABEL))
    assert not {detected.action, *detected.candidates} & {HUMAN.name, bare.name}


def test_the_nearer_of_a_shops_own_actions_is_offered() -> None:
    text = "I want to send back WF-20404, give me a label"
    assert intents.detect_intent(text, (*catalogue(), LABEL, INVOICE)).candidates == (LABEL.name,)


@pytest.mark.parametrize("own", [VOUCHER, PAUSE])
def test_an_action_of_the_shop_that_is_far_from_the_message_is_not_offered(own: ToolSpec) -> None:
    text = "Send me the invoice for WF-20404"
    assert intents.detect_intent(text, (*catalogue(), own)) == intents.DetectedIntent()


def test_an_action_that_is_likely_is_offered_if_another_request_is_not_sure() -> None:
    text = "I want to send back WF-20404, give me a label"
    assert intents.detect_intent(text, catalogue()) == intents.DetectedIntent(candidates=("refund_order",))


def test_a_customer_is_not_asked_whether_they_mean_a_refund_instead() -> None:
    asked, calls = Chat(orders=ORDERS).send("Please e-mail me the receipt of order WF-20404")
    assert calls == [] and asked != say("meant", "en", title="Refund an order")


@pytest.mark.long
def test_other_requests_are_told_from_requests_for_an_action() -> None:
    rows = [json.loads(line) for line in ROWS.open()]
    detected = {row["text"]: intents.detect_intent(row["text"], catalogue(row["locale"])) for row in rows}
    others = [detected[row["text"]] for row in rows if row["want"] is None]
    prepared = [found for found in others if found.action not in ("", "order_status")]
    assert len(prepared) <= 1 and len([found for found in others if found.candidates]) <= 3
    wanted = [(row["want"], detected[row["text"]]) for row in rows if row["want"]]
    missed = [want for want, found in wanted if want not in (found.action, *found.candidates)]
    assert len(missed) <= 2
