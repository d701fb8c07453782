"""Amounts of money in drafts from OpenAPI files: a figure beside its currency, if the file proves its unit."""

import json
from typing import Any

import pytest

from actions.connections.decimal_json import from_json
from actions.definitions.expressions.expression import compile_expression
from actions.definitions.expressions.template import compile_template
from actions.definitions.parsed_parts import LabelledValue
from actions.definitions.rendering import shown
from tests.actions.definitions.openapi_files import drafts

PAYOUT = """
openapi: 3.1.0
info: {title: Payouts, version: "1"}
paths:
  /payouts:
    post:
      operationId: pay
      responses: {"201": {content: {application/json: {schema: {properties: {id: {type: string}, FIELDS}}}}}}
  /payouts/{id}:
    get:
      operationId: payout
      responses: {"200": {content: {application/json: {schema: {required: [REQUIRED], properties: {id: {type: string}, FIELDS}}}}}}
"""  # noqa: E501 -- a file
CURRENCY = "currency: {type: string}"
LISTED = "currency: {type: string, enum: [EUR, USD]}"
DECIMAL = "{type: number, multipleOf: 0.01}"


@pytest.mark.parametrize("required", ["", "amount, total_cents, currency"])
@pytest.mark.parametrize(
    ("fields", "answer", "row", "without_currency"),
    [
        (f"total_cents: {{type: integer}}, {LISTED}", {"total_cents": 21650}, ("Total", "€216.50"), []),
        (f"amount: {DECIMAL}, {LISTED}", {"amount": 12.5}, ("Amount", "€12.50"), [("Amount", "12.5")]),
        (
            f"amount: {{type: number, example: 9.95}}, {LISTED}", {"amount": 12},
            ("Amount", "€12.00"), [("Amount", "12")],
        ),
        (f"amount: {DECIMAL}, {CURRENCY}", {"amount": 12.5}, ("Amount", "12.5 EUR"), [("Amount", "12.5")]),
        (
            f"refundAmount: {{type: string, format: decimal}}, {LISTED}", {"refundAmount": "7.10"},
            ("Refund amount", "7.10 EUR"), [("Refund amount", "7.10")],
        ),
        (
            f"amount: {{type: string, example: '9.90'}}, {CURRENCY}", {"amount": "9.90"},
            ("Amount", "9.90 EUR"), [("Amount", "9.90")],
        ),
        (f"price: {DECIMAL}, {CURRENCY}", {"price": 0.3456}, ("Price", "0.3456 EUR"), [("Price", "0.3456")]),
    ],
)  # fmt: skip
def test_a_figure_beside_its_currency_is_one_amount(
    fields: str, answer: dict[str, Any], row: tuple[str, str], without_currency: list[Any], required: str
) -> None:
    made = drafts(PAYOUT.replace("FIELDS", fields).replace("REQUIRED", required))
    result = made["payout"].document["result"]
    assert len(result["fields"]) == 2 and len(made["pay"].document["receipt"]) == 2
    assert rows_of(result["fields"], {"record": {"id": "p-1", "currency": "EUR", **answer}})[-1] == row
    assert rows_of(made["pay"].document["receipt"], {"body": {"id": "p-1", "currency": "EUR", **answer}})[-1] == row
    for lacking in ({**answer, "currency": None}, answer):
        assert rows_of(result["fields"], {"record": {"id": "p-1", **lacking}})[1:] == without_currency
    for lacking in (
        dict.fromkeys([*answer, "currency"]),
        {"currency": "EUR"},
        {**dict.fromkeys(answer), "currency": ""},
    ):
        assert rows_of(result["fields"], {"record": {"id": "p-1", **lacking}}) == [("Id", "p-1")]
    [check] = [one for one in made["payout"].checks if "shown as one amount" in one]
    assert check.startswith(f"{result['fields'][-1]['name']}: ") and "unit" in check


@pytest.mark.parametrize(
    ("fields", "answer", "row"),
    [
        (f"total_cents: {{type: integer}}, {LISTED}", {"total_cents": "21650"}, ("Total", "€216.50")),
        (f"amount: {DECIMAL}, {LISTED}", {"amount": "12.50"}, ("Amount", "€12.50")),
    ],
)
def test_a_number_sent_as_a_string_is_also_an_amount(fields: str, answer: dict[str, Any], row: tuple[str, str]) -> None:
    made = drafts(PAYOUT.replace("FIELDS", fields).replace("REQUIRED", ""))["payout"].document
    assert rows_of(made["result"]["fields"], {"record": {"id": "p-1", "currency": "EUR", **answer}})[-1] == row


@pytest.mark.parametrize("currency", ["eur", "", "POINTS", "JPY", 7])
@pytest.mark.parametrize(
    ("fields", "figure"),
    [
        (f"total_cents: {{type: integer}}, {CURRENCY}", {"total_cents": 500}),
        (f"total_cents: {{type: integer}}, {LISTED}", {"total_cents": 500}),
        (f"amount: {DECIMAL}, {CURRENCY}", {"amount": 12.5}),
        (f"amount: {DECIMAL}, {LISTED}", {"amount": 12.5}),
        (f"amount: {{type: string, format: decimal}}, {LISTED}", {"amount": "1,234.50"}),
        (f"amount: {{type: string, format: decimal}}, {LISTED}", {"amount": ""}),
    ],
)
def test_no_answer_refuses_the_whole_look_up_or_shows_a_wrong_amount(
    fields: str, figure: dict[str, Any], currency: Any
) -> None:
    made = drafts(PAYOUT.replace("FIELDS", fields).replace("REQUIRED", "amount, currency"))["payout"].document
    rows = dict(rows_of(made["result"]["fields"], {"record": {"id": "p-1", **figure, "currency": currency}}))
    assert rows.pop("Id") == "p-1"
    shown = " ".join(rows.values())
    assert not any(sign in shown for sign in ("€", "¥", "5.00")) and "Total" not in rows


@pytest.mark.parametrize(
    "fields",
    [
        f"amount: {{type: integer}}, {LISTED}",  # it may be in cents
        f"amount: {{type: number}}, {LISTED}",  # it may be in cents, too
        f"amount: {{type: number, example: 2599, description: In minor units.}}, {LISTED}",
        f"total_cents: {{type: integer}}, {CURRENCY}",  # of a currency without cents, perhaps
        "total_cents: {type: integer}, currency: {type: string, enum: [EUR, JPY]}",
        "total_cents: {type: integer}, currency: {type: string, enum: [eur, usd]}",
        f"total_cents: {{type: integer}}, amount: {{type: integer}}, {LISTED}",
        "total_cents: {type: integer}",  # of which currency?
        f"net: {{type: number}}, tax: {{type: number}}, {CURRENCY}",
        f"amount: {{type: number}}, {CURRENCY}, paid_currency: {{type: string}}",
        f"amount: {{type: string}}, {CURRENCY}",
    ],
)
def test_a_figure_that_may_mean_something_else_stays_as_it_is(fields: str) -> None:
    found = drafts(PAYOUT.replace("FIELDS", fields).replace("REQUIRED", ""))["payout"].document["result"]["fields"]
    assert all(one["value"] == f"record.{one['name']}" for one in found) and len(found) == fields.count("type") + 1


def rows_of(fields: list[dict[str, Any]], record: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what a customer reads of these fields, label and text."""
    read = [
        LabelledValue(
            one["name"],
            one["label"],
            compile_expression(one["value"]) if "value" in one else None,
            {"en": compile_template(one["words"]["en"])} if "words" in one else {},
        )
        for one in fields
    ]
    return [(label, text) for _, label, text in shown(read, from_json(json.dumps(record).encode()), "en")]
