"""Each expectation, with an answer that meets it and one that does not."""

from dataclasses import replace
from typing import Any

import pytest
from django.utils import translation

from actions.registry import code_actions
from supportbot.evals.grading.graders import GRADERS, Grade, grade_from, grades_of
from supportbot.evals.result_texts import SUBJECTS, why
from supportbot.evals.runs.case_outcomes import CaseTry, Judgement, MadeCall, Reply, played_from
from supportbot.evals.suite_formats.own_format import parse_case

PROPOSED = MadeCall("refund_order", {"order_id": "A-1001", "amount": "12.50", "items": ["BOOT"]}, "proposed")
GOOD = Reply(
    "How long?",
    "**You can send unused items back within 60 days of delivery.** [1] The label costs €4.90. [1]",
    citations=({"external_id": "returns", "title": "Returns", "quote": "…"},),
    calls=(PROPOSED, MadeCall("order_status", {}, "answered")),
    by="builtin",
    support=0.9,
    took_ms=800.0,
)
BAD = Reply("How long?", "Ich konnte das leider nicht finden.", by="builtin", is_abstention=True, took_ms=4_000.0)
REFUSED = replace(BAD, calls=(MadeCall("refund_order", {}, "refused", "window_over"),))
SHORTER = replace(GOOD, text="Unused items can be sent back within 14 days.")
QUOTING = replace(GOOD, citations=({"external_id": "returns", "quote": "**send unused items back** within 60 days"},))
HANDED = replace(BAD, calls=(MadeCall("request_human", {}, "handed_over"),))

REQUESTED = replace(BAD, calls=(MadeCall("refund_order", {"order_id": "A-1001"}, "proposed"),))
CASES: list[tuple[str, Any, Reply, Reply]] = [
    ("contains", ["within 60 DAYS", "€4.90"], GOOD, BAD),
    ("contains_any", ["two months", "60 days"], GOOD, BAD),
    ("not_contains", "could not", GOOD, replace(BAD, text="I could not find this.")),
    (
        "equals",
        "You have 60 days.",
        replace(GOOD, text="You  have **60 days**. [1]"),
        replace(BAD, text="You have 60 days!"),
    ),
    (
        "not_equals",
        "You have 60 days.",
        replace(GOOD, text="you have 60 days."),
        replace(BAD, text="You have 60 days."),
    ),
    (
        "starts_with",
        "Unused items",
        replace(GOOD, text="**Unused items** go back."),
        replace(BAD, text="The unused items."),
    ),
    ("not_starts_with", ["Sorry", "I could"], GOOD, replace(BAD, text="I could not find this.")),
    ("mentions", ["1,497.65", "60 DAYS"], replace(GOOD, text="In 60 days: $1497.65."), replace(BAD, text="$1497.66")),
    ("pattern", "within \\d+ days", GOOD, BAD),
    ("not_pattern", "konnte", GOOD, BAD),
    ("figures", ["60 days", "4,90 €"], GOOD, replace(GOOD, text="Within 14 days. The label costs €4.90.")),
    ("not_figures", "14 days", GOOD, replace(GOOD, text="You have two weeks.")),
    ("source", ["other", "returns"], GOOD, BAD),
    ("hit5", "returns", replace(BAD, ranked=("returns",)), GOOD),
    ("finds", "returns", replace(BAD, passages=({"external_id": "returns"},)), GOOD),
    ("quotes", ["You can send unused items back within 60 days of delivery."], QUOTING, GOOD),
    ("detects", "refund_order", replace(BAD, detected=("refund_order", "cancel_order")), BAD),
    ("detects", False, BAD, replace(BAD, detected=("refund_order",))),
    ("requests", [{"action": "refund_order", "arguments": {"order_id": "A-1001"}}], REQUESTED, BAD),
    ("requests", [{"action": "refund_order"}], REQUESTED, replace(REQUESTED, calls=2 * REQUESTED.calls)),
    ("requests", [], BAD, REQUESTED),
    ("requests", {"asks": "order"}, replace(BAD, text="What is the order number?"), BAD),
    ("answerable", True, replace(BAD, is_answerable=True), GOOD),
    ("answerable", False, BAD, replace(BAD, is_answerable=True)),
    ("cites", True, GOOD, BAD),
    ("cites", False, BAD, GOOD),
    ("touched", True, replace(BAD, withheld=({"code": "figure", "text": "5 €", "score": None},)), GOOD),
    ("touched", False, BAD, replace(GOOD, is_confirmed=False)),  # the answer said itself that it found nothing
    ("touched", False, GOOD, replace(GOOD, withheld=({"code": "figure", "text": "5 €", "score": None},))),
    ("touched", False, GOOD, replace(GOOD, is_confirmed=False)),
    ("says", "Unused things can be sent back within 60 days.", GOOD, BAD),
    (
        "never_says",
        "Unused items can be sent back within 14 days.",
        GOOD,
        replace(GOOD, text="Unused items can be sent back within 14 days."),
    ),
    ("abstains", False, GOOD, BAD),
    ("abstains", True, BAD, GOOD),
    ("hands_over", True, HANDED, GOOD),
    ("hands_over", False, GOOD, HANDED),
    ("proposes", {"action": "refund_order", "arguments": {"order_id": "a-1001", "amount": 12.5}}, GOOD, BAD),
    ("proposes", "refund_order", GOOD, REFUSED),
    ("proposes", False, BAD, GOOD),
    ("looks_up", "order_status", GOOD, BAD),
    ("looks_up", False, BAD, GOOD),
    ("refuses", "window_over", REFUSED, BAD),
    ("refuses", True, REFUSED, GOOD),
    ("language", "en", GOOD, BAD),
    ("support", 0.7, GOOD, BAD),
    ("seconds", 2, GOOD, BAD),
]


@pytest.mark.parametrize(("name", "value", "good", "bad"), CASES)
def test_an_expectation_is_graded(name: str, value: Any, good: Reply, bad: Reply) -> None:
    case = parse_case({"ask": "How long?", "expect": {name: value}})
    (met,), (missed,) = (grades_of(case, CaseTry((reply,))) for reply in (good, bad))
    assert (met.grader, met.passed) == (name, True)
    assert not missed.passed
    assert missed.missing or missed.found or missed.wanted != missed.got
    assert grade_from(missed.as_json()) == missed


A_AND_B = [{"sku": "A"}, {"sku": "B"}]


@pytest.mark.parametrize(
    ("wanted", "given", "is_met"),
    [
        ({"items": A_AND_B}, {"items": [{"sku": "B", "quantity": 1}, {"sku": "A", "quantity": 1}]}, True),
        ({"items": ["A", "B"]}, {"items": A_AND_B[::-1]}, True),
        ({"items": ["A"]}, {"items": ["A"]}, True),
        ({"items": ["A"]}, {"items": A_AND_B}, False),
        ({"items": ["A", "A"]}, {"items": A_AND_B}, False),
        ({"items": ["A"]}, {"items": [{"sku": "A", "quantity": 2}]}, False),
        ({"items": [{"sku": "A", "quantity": 2}]}, {"items": [{"sku": "A", "quantity": 2}]}, True),
        ({"items": [{"sku": "A", "quantity": 2}]}, {"items": [{"sku": "A"}]}, False),
        ({"items": "A"}, {"items": [{"sku": "A"}]}, False),
        ({"amount": "12.5"}, {"amount": "12.50"}, True),
        ({"amount": 20}, {"amount": "20.00"}, True),
        ({"amount": "12.5"}, {"amount": "12.51"}, False),
        ({"amount": "1.2.3"}, {"amount": "1.2.3"}, True),
        ({"amount": "²"}, {"amount": "²"}, True),
        ({"order_id": "007"}, {"order_id": "7"}, False),
        ({"order_id": "12345678901234567890"}, {"order_id": "12345678901234567891"}, False),
        ({"order_id": "7"}, {"order_id": "7", "amount": "5.00"}, False),
    ],
)
def test_the_arguments_of_a_request_are_compared_by_their_meaning(
    wanted: dict[str, Any], given: dict[str, Any], is_met: bool
) -> None:
    case = parse_case({"ask": "Hi", "expect": {"requests": [{"action": "refund_order", "arguments": wanted}]}})
    (grade,) = grades_of(case, CaseTry((replace(BAD, calls=(MadeCall("refund_order", given, "proposed"),)),)))
    assert grade.passed is is_met


def test_every_expectation_has_a_test() -> None:
    assert {name for name, *_ in CASES} | {"cost", "judge", "records"} == set(GRADERS)


@pytest.mark.parametrize(
    ("text", "is_said"),
    [
        ("You can return unused items within 60 days of delivery.", True),
        ("Unused items may be returned for 60 days after delivery.", True),
        ("You cannot return unused items within 60 days of delivery.", False),
        ("You can return unused items within 14 days of delivery.", False),
        ("You can return unused items.", False),
        ("Our shop opens at nine.", False),
        ("", False),
    ],
)
def test_a_stated_fact_needs_its_figures_and_no_negation(text: str, is_said: bool) -> None:
    case = parse_case({"ask": "?", "expect": {"says": "Unused items can be returned within 60 days of delivery."}})
    (grade,) = grades_of(case, CaseTry((Reply("?", text),)))
    assert grade.passed is is_said


def test_cost_and_verdict_are_graded() -> None:
    case = parse_case({"ask": "?", "expect": {"cost": 0.01, "judge": "Is polite."}})
    cheap = CaseTry((GOOD,), cost="0.009", judgement=Judgement(True, "It is."))
    dear = CaseTry((GOOD,), cost="0.02", judgement=Judgement(False, "It is rude."))
    assert [grade.passed for grade in grades_of(case, cheap)] == [True, True]
    assert [grade.passed for grade in grades_of(case, dear)] == [False, False]
    no_json = replace(cheap, judgement=Judgement(None, "no_json"))
    assert [grade.got for grade in grades_of(case, no_json)][1] == "no_json"
    assert not grades_of(case, replace(cheap, judgement=None))[1].passed


ORDER: dict[str, Any] = {"orders": {"A-1": {"state": "returned", "total": 12.5, "note": None, "items": ["BOOT"]}}}


@pytest.mark.parametrize(
    ("records", "difference"),
    [
        ({"orders": {"A-1": {"state": "returned", "total": 12.503, "items": ["BOOT"]}}}, None),
        ({"orders": {"A-1": {"state": "cancelled", "total": 12.5}}}, None),
        ({"orders": {"A-1": {"state": "returned", "total": 12.51, "items": ["BOOT"]}}}, "orders.A-1.total: 12.51"),
        ({"orders": {"A-1": {"state": "returned", "total": 12.5, "items": []}}}, "orders.A-1.items: []"),
        ({**ORDER, "users": {"cus_alice": {}}}, 'users: {"cus_alice": {}}'),
        ({}, "orders: null"),
        (None, "no_merchant"),
    ],
)
def test_the_shop_must_end_with_one_of_the_expected_records(
    records: dict[str, Any] | None, difference: str | None
) -> None:
    states = [ORDER, {"orders": {"A-1": {"state": "cancelled", "total": 12.5}}}]
    case = parse_case({"ask": "?", "expect": {"records": states}})
    (grade,) = grades_of(case, CaseTry((GOOD,), records=records))
    assert (grade.passed, grade.got or None) == (difference is None, difference)


def test_a_step_is_graded_by_its_own_answer() -> None:
    steps = [{"say": "Hi", "expect": {"proposes": False}}, {"say": "A-1001", "expect": {"proposes": "refund_order"}}]
    case = parse_case({"steps": steps, "expect": {"abstains": False}})
    whole = CaseTry((replace(GOOD, calls=()), GOOD))
    assert [(grade.step, grade.passed) for grade in grades_of(case, whole)] == [(1, True), (2, True), (0, True)]
    handed = grades_of(case, CaseTry((HANDED,)))
    assert [(grade.grader, grade.step, grade.passed) for grade in handed][1] == ("answered", 2, False)


def test_no_expectation_of_a_failed_case_passes() -> None:
    case = parse_case({"ask": "?", "expect": {"abstains": False}})
    (grade,) = grades_of(case, CaseTry((), failure="model_unavailable"))
    assert not grade.passed and grade.got == "model_unavailable"


def test_results_are_stored_and_read() -> None:
    played = CaseTry((GOOD, HANDED), cost="0.1", currency="EUR", tokens=7, judgement=Judgement(None, "no_json"))
    assert played_from(played.as_json()) == played


def test_a_failure_is_explained_in_the_readers_language() -> None:
    actions = code_actions()
    refusal = Grade("refuses", False, wanted="limit_customer_year", got="false")
    limit = "This would exceed the limit for this customer."
    assert why(refusal, actions) == f"refusal: expected “{limit}”, got nothing"
    assert (
        why(Grade("refuses", False, wanted="false", got="own_code"), actions)
        == "refusal: expected nothing, got own_code"
    )
    assert why(Grade("abstains", False, 2, wanted="true", got="false"), actions).endswith(": expected yes, got no")
    assert (
        why(Grade("answered", False, 2, wanted="answer", got="handed_over"), actions)
        == "step 2, A person took over before the answer."
    )
    assert SUBJECTS.keys() == {*GRADERS, "answered"}
    refund = 'refund_order {"order_id": "A-1", "reason": "torn; sent {"}'
    asked = Grade("proposes", False, wanted="refund_order, approvals: 2", got=f"{refund}; cancel_order")
    assert why(asked, actions) == (
        "proposed action: expected Refund an order (needs 2 approvals), got Refund an order (order id: A-1, reason: "
        "torn; sent {, needs no approval); Cancel an order (needs no approval)"
    )
    ordered = (
        'refund_order {"items": [{"sku": "A", "quantity": 1}, {"sku": "B", "gift": true}], "note": null, "of": []}'
    )
    assert why(Grade("proposes", False, wanted=ordered, got="false"), actions).endswith(
        "(items: (sku: A, quantity: 1), (sku: B, gift: yes), note: –, of: –), got nothing"
    )
    moved = 'change_shipping_address {"address": {"city": "Linz", "lines": ["a", "b"]}}'
    assert why(Grade("requests", False, wanted=moved, got="Where to?"), actions) == (
        "detected actions: expected Change the delivery address (city: Linz, lines: a, b), got Where to?"
    )
    assert why(Grade("proposes", False, wanted="gone {}", got="false"), actions).endswith("expected gone, got nothing")
    assert why(Grade("language", False, wanted="de", got="en"), actions) == "language: expected German, got English"
    looked = Grade("looks_up", False, wanted="order_status", got="refund_order, own_action")
    assert why(looked, actions) == "look-up: expected Order status, got Refund an order, own_action"
    with translation.override("de"):
        assert why(Grade("figures", False, missing=("5 days",)), actions) == "Zahlen: es fehlt „5 days“"
