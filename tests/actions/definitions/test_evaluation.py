"""Evaluating a definition for a request: whatever cannot be evaluated leads to a refusal."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.definitions import evaluation, rendering
from actions.definitions.errors import ExpressionFailed
from actions.definitions.evaluation import Happened
from actions.definitions.evaluation_context import Answer, BackEndCall, Identity, Names, Obstacle, filled_in
from actions.definitions.parsing.document import parse_document
from actions.errors import MerchantUnavailable
from actions.money import Money
from tests.actions.definitions.documents import EXCHANGE, changed

NOW = datetime(2026, 5, 31, tzinfo=UTC)
ORDER = {"id": "A-1", "user_id": "u-1", "status": "pending", "paid": 20, "total": 600, "currency": "EUR"}
PARSED = {"order_id": "A-1", "reason": "other", "items": [{"sku": "x", "count": 1}, {"sku": "y", "count": 2}]}


class Shop:
    def __init__(self, records: Mapping[str, Any]) -> None:
        self.records, self.asked = records, list[BackEndCall]()

    def ask(self, asked: BackEndCall) -> Answer:
        self.asked.append(asked)
        found = self.records.get(asked.path, 404)
        return Answer(found) if isinstance(found, int) else Answer(200, found)


RECORDS = {"/orders/A-1": ORDER, "/items/x": {"price": 12.5}, "/items/y": {"price": 15}}


def looked_up(
    document: dict[str, Any] = EXCHANGE, records: Mapping[str, Any] = RECORDS, sub: str = "u-1"
) -> Names | Obstacle:
    definition = parse_document(document)
    names = evaluation.names_of(definition, PARSED, Identity(sub), NOW)
    return evaluation.look_up(definition, names, Shop(records).ask, "en")


def names_with(document: dict[str, Any] = EXCHANGE, records: Mapping[str, Any] = RECORDS) -> Names:
    found = looked_up(document, records)
    assert isinstance(found, Names)
    return found


def test_a_look_up_is_called_once_or_once_for_each_element() -> None:
    names = names_with()
    assert names["order"] == ORDER
    assert names["variants"] == [{"price": 12.5}, {"price": 15}]
    definition = parse_document(EXCHANGE)
    assert evaluation.first_obstacle(definition, names, "en") is None
    assert evaluation.money_of(definition, names) == Money(Decimal("7.50"), "EUR")
    assert evaluation.subject_of(definition, names) == ("order", "A-1")
    assert evaluation.needs_approval(definition, names)
    complete = evaluation.complete_arguments(definition, PARSED, names)
    assert complete == {**PARSED, "customer_id": "u-1", "currency": "EUR"}


def test_the_call_contains_the_key_and_leaves_out_missing_values() -> None:
    definition, names = parse_document(EXCHANGE), names_with().with_names({"key": "k-1"})
    assert definition.call
    asked = filled_in(definition.call, names)
    assert (asked.method, asked.path, asked.query) == ("POST", "/orders/A-1/exchange", "dry=no")
    assert asked.headers == {"Idempotency-Key": "k-1"}
    assert asked.body == '{"items":[{"sku":"x","count":1},{"sku":"y","count":2}]}'


@pytest.mark.parametrize(
    ("records", "code"),
    [
        ({}, "order_not_found"),
        ({"/orders/A-1": {**ORDER, "user_id": "u-2"}}, "order_not_found"),
        ({"/orders/A-1": {**ORDER, "user_id": None}}, "order_not_found"),
        ({"/orders/A-1": {**ORDER, "user_id": ["u-1"]}}, "definition_failed"),
        ({"/orders/A-1": {"id": "A-1"}}, "definition_failed"),
        ({"/orders/A-1": "A-1"}, "definition_failed"),
        ({"/orders/A-1": None}, "definition_failed"),
        ({"/orders/A-1": ORDER, "/items/x": {"price": 1}}, "variants_not_found"),
    ],
)
def test_another_customers_or_a_missing_record_refuses_the_request(records: dict[str, Any], code: str) -> None:
    found = looked_up(records=records)
    assert isinstance(found, Obstacle)
    assert (found.code, found.where.split(":")[0].split(".")[0]) == (code, "lookups")
    if code == "order_not_found":
        assert found.words == "There is no order A-1 in your account."


@pytest.mark.parametrize(("lines", "found"), [(["A-1"], True), (["A-2"], False), ([], False)])
def test_a_list_of_the_customers_records_may_prove_the_owner(lines: list[str], found: bool) -> None:
    customer = {"name": "me", "call": {"method": "GET", "path": "/customers/{identity.sub}"}, "owner": "me.id"}
    order = {**EXCHANGE["lookups"][0], "owner": "identity.sub if order.id in me.lines else null"}
    document = {**EXCHANGE, "lookups": [{**customer, "otherwise": order["otherwise"]}, order, EXCHANGE["lookups"][1]]}
    records = {**RECORDS, "/customers/u-1": {"id": "u-1", "lines": lines}}
    assert isinstance(looked_up(document, records), Names) is found


@pytest.mark.parametrize(("coupon", "asked"), [({}, 0), ({"coupon": "C1"}, 1)])
def test_a_look_up_may_depend_on_an_argument(coupon: dict[str, str], asked: int) -> None:
    arguments = {**EXCHANGE["arguments"], "coupon": {"type": "string", "description": "x", "required": False}}
    lookup = {"name": "coupons", "public": True, "as": "code", "call": {"method": "GET", "path": "/coupons/{code}"}}
    lookup |= {"for_each": "[arguments.coupon] if has(arguments.coupon) else []"}
    definition = parse_document({**EXCHANGE, "arguments": arguments, "lookups": [*EXCHANGE["lookups"], lookup]})
    names = evaluation.names_of(definition, {**PARSED, **coupon}, Identity("u-1"), NOW)
    found = evaluation.look_up(definition, names, Shop({**RECORDS, "/coupons/C1": {"off": 5}}).ask, "en")
    assert isinstance(found, Names)
    assert len(found["coupons"]) == asked


def test_a_shop_that_does_not_answer_is_not_a_refusal() -> None:
    for status in (500, 302, 401):
        with pytest.raises(MerchantUnavailable):
            looked_up(records={"/orders/A-1": status})


def test_a_list_that_is_too_long_causes_no_calls() -> None:
    found = looked_up(changed(EXCHANGE, "lookups[1].at_most", 1))
    assert isinstance(found, Obstacle)
    assert (found.code, found.where.split(":")[0]) == ("definition_failed", "lookups.variants")


@pytest.mark.parametrize(
    ("rule", "code", "where"),
    [
        ("order.status == 'sent'", "not_pending", "guards.pending"),
        ("order.total / 0 > 1", "definition_failed", "guards.pending: division by zero (in: order.total / 0)"),
        ("order.typo == 'x'", "definition_failed", "guards.pending: there is no field “typo” (in: order.typo)"),
        ("order.total", "definition_failed", "guards.pending: a condition"),
        ("today > order.total", "definition_failed", "guards.pending: a number cannot be compared with a date"),
    ],
)
def test_a_guard_that_is_false_or_fails_refuses_the_request(rule: str, code: str, where: str) -> None:
    document = changed(EXCHANGE, "guards[0].require", rule)
    found = evaluation.first_obstacle(parse_document(document), names_with(document), "de")
    assert found
    assert found.code == code
    assert found.where.startswith(where)
    assert found.words == ("Bestellung A-1 ist pending." if code == "not_pending" else "")


@pytest.mark.parametrize("amount", ["-1", "1.005", "'12'", "order.typo", "money(1, 'USD')", "order.total / 7"])
def test_an_invalid_amount_refuses_the_request(amount: str) -> None:
    document = changed(EXCHANGE, "money.amount", amount)
    if amount == "'12'":
        assert evaluation.money_of(parse_document(document), names_with(document)) == Money(Decimal("12.00"), "EUR")
        return
    with pytest.raises(ExpressionFailed):
        evaluation.money_of(parse_document(document), names_with(document))


def test_a_computed_argument_meets_its_type() -> None:
    document = changed(EXCHANGE, "arguments.currency.value", "order.total")
    names = names_with(document)
    with pytest.raises(ExpressionFailed, match="currency"):
        evaluation.complete_arguments(parse_document(document), PARSED, names)
    optional = changed(
        changed(EXCHANGE, "arguments.currency.required", False), "arguments.currency.value", "order.symbol"
    )
    names = names_with(optional)
    assert "currency" not in evaluation.complete_arguments(parse_document(optional), PARSED, names)
    assert "currency" not in names["arguments"]


def test_values_are_computed_when_a_rule_needs_them() -> None:
    document = {**EXCHANGE, "values": {"ratio": "1 / (order.paid - 20)", "twice": "ratio * 2"}}
    definition, names = parse_document(document), names_with(document)
    assert evaluation.first_obstacle(definition, names, "en") is None
    with pytest.raises(ExpressionFailed, match="division by zero"):
        names["twice"]
    paid = {**RECORDS, "/orders/A-1": {**ORDER, "paid": 24}}
    assert names_with(document, paid)["twice"] == Decimal("0.5")


def test_a_value_that_depends_on_too_many_others_fails() -> None:
    values = {"v0": "1"} | {f"v{n}": "(" * 15 + f"v{n - 1} + 1" + ")" * 15 for n in range(1, 30)}
    deep = "all([1], a, all([1], b, all([1], c, all([1], d, all([1], e, all([1], f, {} > 0))))))"
    values |= {f"v{n}": f"1 if {deep.format(f'v{n - 1}')} else 0" for n in range(1, 30)}
    document = {**EXCHANGE, "values": values}
    try:
        assert names_with(document)["v29"] == 1
    except ExpressionFailed as error:
        assert "too many other values" in error.why


@pytest.mark.parametrize(
    ("status", "body", "happened"),
    [
        (200, {"id": 7}, Happened.YES),
        (422, {"error": "Sold\u202e out\n."}, Happened.NO),
        (409, {}, Happened.UNCLEAR),
        (500, None, Happened.UNCLEAR),
        (302, None, Happened.UNCLEAR),
    ],
)
def test_an_answer_is_read(status: int, body: Any, happened: Happened) -> None:
    definition, names = parse_document(EXCHANGE), names_with()
    assert definition.answer
    answer = Answer(status, body)
    assert evaluation.happened(definition.answer, answer, names) is happened
    if happened is Happened.NO:
        assert evaluation.reason_of(definition.answer, answer, names) == "Sold out ."
    if happened is Happened.YES:
        assert rendering.receipt_of(definition, answer, names, "de") == [("reference", "Zeichen", "7")]


def test_a_status_look_up_is_read() -> None:
    definition, names = parse_document(EXCHANGE), names_with()
    assert definition.outcome
    readings = [(200, {"state": "done"}), (200, {"state": "refused"}), (404, None), (200, {}), (503, None)]
    assert [evaluation.happened(definition.outcome, Answer(*reading), names) for reading in readings] == [
        Happened.YES, Happened.NO, Happened.NEVER_SEEN, Happened.UNCLEAR, Happened.UNCLEAR,
    ]  # fmt: skip


def test_an_answer_that_says_both_yes_and_no_is_unclear() -> None:
    document = changed(EXCHANGE, "answer.did_not", "status >= 200")
    definition = parse_document(document)
    assert definition.answer
    assert evaluation.happened(definition.answer, Answer(200, {}), names_with(document)) is Happened.UNCLEAR


def test_a_card_is_in_the_readers_language() -> None:
    definition = parse_document(EXCHANGE)
    names = names_with().with_names({"money": Money(Decimal("7.50"), "EUR")})
    german, english = (rendering.card_of(definition, names, locale) for locale in ("de-DE", "en"))
    assert german.summary == "Artikel aus A-1 umtauschen, 7,50\N{NO-BREAK SPACE}€."
    assert english.summary == "Exchange items of A-1 for €7.50."
    assert [(row.label, row.value) for row in english.rows] == [("Order", "A-1")]


def test_a_value_that_is_absent_is_not_shown() -> None:
    rows = [
        {"label": {"en": "Note", "de": "Notiz"}, "value": "order.note"},
        {"label": {"en": "Gift", "de": "G"}, "value": "null"},
    ]
    definition = parse_document(changed(EXCHANGE, "card.rows", rows))
    names = names_with().with_names({"money": Money(Decimal("7.50"), "EUR")})
    assert rendering.card_of(definition, names, "en").rows == ()


def test_a_long_list_on_a_card_ends_with_the_number_of_entries_left_out() -> None:
    rows = [{"label": {"en": "Notes", "de": "Notizen"}, "value": "order.notes"}]
    definition = parse_document(changed(EXCHANGE, "card.rows", rows))
    names = names_with().with_names({"money": Money(Decimal("7.50"), "EUR")})
    shown = {}
    for length in (8, 100, 1_000, 5_000):
        order = {**ORDER, "notes": [str(length).ljust(length, "x")] * 50}
        [row] = rendering.card_of(definition, names.with_names({"order": order}), "en").rows
        shown[length] = (row.value.count(str(length)), row.value.partition("…")[2])
        assert len(row.value) < 4_020
    assert shown == {8: (50, ""), 100: (39, " (+11)"), 1_000: (3, " (+47)"), 5_000: (1, ", … (+49)")}


@pytest.mark.parametrize("place", ["summary", "rows"])
def test_words_on_a_card_show_a_long_value_in_full(place: str) -> None:
    words = {"en": "You wrote: {order.note}", "de": "Notiz: {order.note}"}
    row = {"label": {"en": "Note", "de": "Notiz"}, "words": words}
    definition = parse_document(changed(EXCHANGE, f"card.{place}", words if place == "summary" else [row]))
    names = names_with().with_names({"money": Money(Decimal("7.50"), "EUR"), "order": {**ORDER, "note": "x" * 3_000}})
    card = rendering.card_of(definition, names, "en")
    assert (card.summary if place == "summary" else card.rows[0].value) == f"You wrote: {'x' * 3_000}"


def test_an_expression_that_needs_a_missing_mail_address_fails() -> None:
    definition = parse_document(changed(EXCHANGE, "arguments.customer_id.value", "identity.email"))
    with pytest.raises(ExpressionFailed):
        evaluation.names_of(definition, PARSED, Identity("u-1"), NOW)
    names = evaluation.names_of(definition, PARSED, Identity("u-1", "ann@shop.example"), NOW)
    assert names["arguments"]["customer_id"] == "ann@shop.example"


LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
LEAVES |= st.sampled_from(["1e999999999", "x" * 30_000])
FIELDS = st.sampled_from([*ORDER, "price", "x"])
HOSTILE = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4), max_leaves=6
)


@pytest.mark.long
@settings(max_examples=300)
@given(st.sampled_from(sorted(ORDER)), HOSTILE, HOSTILE)
def test_any_response_from_a_shop_leads_to_a_refusal_or_a_request(field: str, value: Any, variant: Any) -> None:
    definition = parse_document({**EXCHANGE, "values": {"ratio": "order.total / order.paid"}})
    names = evaluation.names_of(definition, PARSED, Identity("u-1"), NOW)
    records = {"/orders/A-1": {**ORDER, field: value}, "/items/x": variant, "/items/y": {"price": value}}
    found = evaluation.look_up(definition, names, lambda asked: Answer(200, records[asked.path]), "en")
    if isinstance(found, Obstacle) or evaluation.first_obstacle(definition, found, "en"):
        return
    try:
        decided = found.with_names({"money": evaluation.money_of(definition, found), "key": "k-1"})
        evaluation.complete_arguments(definition, PARSED, found)
        evaluation.subject_of(definition, found)
        evaluation.needs_approval(definition, decided)
        rendering.card_of(definition, decided, "en")
        assert definition.call
        filled_in(definition.call, decided)
        decided["ratio"]
    except ExpressionFailed as error:
        assert error.why
