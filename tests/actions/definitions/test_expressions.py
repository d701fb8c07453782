"""The expression language of definitions: its values, the texts it refuses, and its evaluation, which always ends."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.argument_json import Number
from actions.definitions.errors import ExpressionError, ExpressionFailed, MissingPath
from actions.definitions.expressions.expression import compile_expression
from actions.definitions.expressions.parser import FUNCTIONS
from actions.money import Money
from tests.examples import for_any
from tests.pace import bounded

NOW = datetime(2026, 5, 31, 23, 30, tzinfo=timezone(timedelta(hours=2)))
NAMES: dict[str, Any] = {
    "order": {
        "id": "A-1",
        "status": "pending (changed)",
        "total": 120.5,
        "paid": "99.95",
        "count": 3,
        "gift": False,
        "note": None,
        "odd key": {"a.b": 1},
        "delivered_at": "2026-05-30T23:30:00Z",
        "items": [{"sku": "x", "price": 10, "n": 2}, {"sku": "y", "price": 2.5, "n": 1},
                  {"sku": "x", "price": 10, "n": 1}],
        "methods": {"card_1": {"kind": "card"}, "gift_2": {"kind": "gift", "balance": 20}},
    },
    "arguments": {"ids": ["x", "y"], "day": date(2026, 6, 2), "ratio": Number("0.25")},
    "price": Money(Decimal("12.50"), "EUR"),
    "fee": Money(Decimal("3.00"), "EUR"),
    "yen": Money(Decimal(900), "JPY"),
    "now": NOW,
    "today": NOW.date(),
}  # fmt: skip


def value(text: str) -> Any:
    return compile_expression(text).evaluate(NAMES)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order.id", "A-1"),
        ('order["odd key"]["a.b"]', Decimal(1)),
        ("order.items[1].sku", "y"),
        ("order.methods[order.items[0].sku] if false else 7", Decimal(7)),
        ("[1, 'two', true, null][1]", "two"),
        ("'it\\'s' == \"it's\"", True),
        ("'say \"so\"'", 'say "so"'),
        ("0.1 + 0.2 == 0.3", True),
        ("2 + 3 * 4 - 6 / 4", Decimal("12.5")),
        ("-(2 - 5)", Decimal(3)),
        ("order.total - 0.5", Decimal(120)),
        ("arguments.ratio * 4 == 1", True),
        ("order.count >= 3 and order.count <= 3 and not order.count > 3 and not order.count < 3", True),
        ("order.status != 'paid'", True),
        ("'pending' in order.status", True),
        ("'card_1' in order.methods", True),
        ("order.id in ['A-1', 'A-2']", True),
        ("order.id not in ['A-1', 'A-2']", False),
        ("order.note == null", True),
        ("order.id == null", False),
        ("'big' if order.total > 100 else 'small'", "big"),
        ("true or order.typo", True),
        ("false and order.typo", False),
        ("sum(order.items, i, i.price * i.n)", Decimal("32.5")),
        ("sum([1, 2, 3])", Decimal(6)),
        ("sum([])", Decimal(0)),
        ("sum([price, fee]) == money(15.5, 'EUR')", True),
        ("count(order.items)", Decimal(3)),
        ("count(order.items, i, i.sku == 'x')", Decimal(2)),
        ("all(arguments.ids, id, any(order.items, i, i.sku == id))", True),
        ("all([], x, x == 1)", True),
        ("any([], x, x == 1)", False),
        ("all(arguments.ids, id, p, order.items[p].sku == id)", True),
        ("map(filter(order.items, i, i.n == 1), i, i.sku)", ["y", "x"]),
        ("first(order.items, i, i.price < 5).sku", "y"),
        ("distinct(map(order.items, i, i.sku))", ["x", "y"]),
        ("min([3, 1, 2]) + max(5, 4)", Decimal(6)),
        ("max(price, fee)", Money(Decimal("12.50"), "EUR")),
        ("len(order.items) + len(order.id)", Decimal(6)),
        ("lower('ÄBC')", "äbc"),
        ("round(2.345, 2)", Decimal("2.35")),
        ("round(2.5)", Decimal(3)),
        ("abs(2 - 5)", Decimal(3)),
        ("number(order.paid) + 0.05", Decimal(100)),
        ("text(order.count)", "3"),
        ("keys(order.methods)", ["card_1", "gift_2"]),
        ("count(values(order.methods), m, m.kind == 'gift')", Decimal(1)),
        ("money(order.paid, 'EUR') > price", True),
        ("price * 2 - fee", Money(Decimal("22.00"), "EUR")),
        ("price.amount", Decimal("12.50")),
        ("price.currency", "EUR"),
        ("date('2026-05-30') == today - days(1)", True),
        # 23:30 UTC is already the next day in the workspace's time zone.
        ("date(order.delivered_at)", date(2026, 5, 31)),
        ("date('2026-05-30T23:30:00')", date(2026, 5, 30)),
        ("days_between('2026-05-01', today)", Decimal(30)),
        ("days_between(today, arguments.day)", Decimal(2)),
        ("years_between('2005-05-31', today)", Decimal(21)),
        ("years_between('2005-06-01', today)", Decimal(20)),
        ("years_between('2004-02-29', '2025-02-28')", Decimal(20)),
        ("years_between('2004-02-29', '2025-03-01')", Decimal(21)),
        ("years_between(today, '2025-06-01')", Decimal(0)),
        ("years_between(today, '2025-05-31')", Decimal(-1)),
        ("time(order.delivered_at) < now", True),
        ("now - days(2) > time(order.delivered_at)", False),
        ("now - time(order.delivered_at) < hours(24) and hours(48) == days(2)", True),
        ("today - date('2026-05-01') <= days(30)", True),
        ("time('2026-05-31T10:00:00', '-05:00') == time('2026-05-31T15:00:00Z')", True),
        ("time('2026-05-31T10:00:00', 'Europe/Berlin') == time('2026-05-31T08:00:00Z')", True),
        ("time('2026-05-31T10:00:00Z', 'Europe/Berlin') == time('2026-05-31T10:00:00Z')", True),
        ("has(order.id) and has(order.items[0].sku)", True),
        ("has(order.note) or has(order.typo) or has(order.items[9].sku)", False),
        ("has(order.note.x) or has(nothing.at.all)", False),
        ("has(first(order.items, i, i.sku == 'z'))", False),
        ("calculate('(2 + 3) * 4.50 / 9')", Decimal("2.5")),
    ],
)  # fmt: skip
def test_an_expression_has_its_expected_value(text: str, expected: Any) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0), ("   ", 0), ("1 +", 3), ("order.", 6), ("order..id", 6), ("(1", 2), ("[1, 2", 5), ("1 2", 2),
        ("order.status = 'x'", 13), ("a && b", 2), ("!a", 0), ("'open", 0), ("1 < 2 < 3", 6), ("1 == 2 == 3", 7),
        ("x if y", 6), ("open('/etc/passwd')", 0), ("__import__('os')", 0), ("order.id()", 8), ("sum()", 0),
        ("sum(order.items, i)", 0), ("all(order.items)", 0), ("all(order.items, i.x, true)", 0), ("days()", 0),
        ("has(1 + 1)", 0), ("lambda: 1", 6), ("a; b", 1), ("`x`", 0), ("1e9", 1), ("0x10", 1), ("a ? b", 2),
        ("a\x00", 1),
        ("\u0661", 0), ("{'a': 1}", 0), ("a.b[", 4), ("not", 3), ("and", 0), ("'\\q'", 0), ("all(l, a, a, true)", 0),
        ("9" * 31, 0), ("for x in y", 4), ("10 % 3", 3),
    ],
)  # fmt: skip
def test_an_invalid_expression_is_refused_with_the_position(text: str, position: int) -> None:
    with pytest.raises(ExpressionError) as error:
        compile_expression(text)
    assert error.value.position == position
    assert error.value.why


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("order.typo == 'x'", "order.typo"),
        ("ordr.id", "ordr"),
        ("order.items[3].sku", "order.items[3]"),
        ("order.items[0.5]", "order.items[0.5]"),
        ("order.items[-1]", "order.items[-1]"),
        ("order.note.text", "order.note.text"),
        ("first(order.items, i, i.sku == 'z').price", "first(order.items, i, i.sku == 'z')"),
        # A misspelt field inside `has` does not prove that nothing matches.
        ("has(first(order.items, i, i.skuu == 'x'))", "i.skuu"),
        ("has(order.methods[order.typo])", "order.typo"),
    ],
)
def test_the_error_for_a_missing_path_names_it(text: str, place: str) -> None:
    with pytest.raises(MissingPath) as error:
        value(text)
    assert error.value.place == place


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1 / 0", "1 / 0"),
        ("1 + (order.total / (order.count - 3))", "(order.total / (order.count - 3))"),
        ("price / 0", "price / 0"),
        ("order.count == '3'", "order.count == '3'"),
        ("order.gift == 0", "order.gift == 0"),
        ("order.id in [1]", "order.id in [1]"),
        ("order.id < 'B'", "order.id < 'B'"),
        ("today < price", "today < price"),
        ("today < now", "today < now"),
        ("today == '2026-05-31'", "today == '2026-05-31'"),
        ("price < yen", "price < yen"),
        ("price == yen", "price == yen"),
        ("price + yen", "price + yen"),
        ("price + 1", "price + 1"),
        ("price * price", "price * price"),
        ("sum([price, yen])", "sum([price, yen])"),
        ("sum([1, 'a'])", "sum([1, 'a'])"),
        ("order.id + 'x'", "order.id + 'x'"),
        ("today + 1", "today + 1"),
        ("today - date('2026-05-01') < 30", "today - date('2026-05-01') < 30"),
        ("today + hours(1)", "today + hours(1)"),
        ("now - today", "now - today"),
        ("time('2026-05-31T10:00:00', 'Mars/Base')", "time('2026-05-31T10:00:00', 'Mars/Base')"),
        ("time('2026-05-31T10:00:00', '../etc/passwd')", "time('2026-05-31T10:00:00', '../etc/passwd')"),
        ("days(99999) + days(99999)", "days(99999) + days(99999)"),
        ("not order.count", "order.count"),
        ("order.id and true", "order.id"),
        ("1 if order.id else 2", "order.id"),
        ("all(order.items, i, i.sku)", "all(order.items, i, i.sku)"),
        ("sum(order.id, c, 1)", "sum(order.id, c, 1)"),
        ("min([])", "min([])"),
        ("min(['a'])", "min(['a'])"),
        ("round(1, 0.5)", "round(1, 0.5)"),
        ("days(0.5)", "days(0.5)"),
        ("today + days(99999) * 2", "days(99999) * 2"),
        ("date('31.05.2026')", "date('31.05.2026')"),
        ("time('2026-05-31T10:00:00')", "time('2026-05-31T10:00:00')"),
        ("money(1, 'euro')", "money(1, 'euro')"),
        ("number('12,50')", "number('12,50')"),
        ("number('NaN')", "number('NaN')"),
        ("number('1e999999999')", "number('1e999999999')"),
        ("999999999999999999 * 999999999999999999", "999999999999999999 * 999999999999999999"),
        ("calculate('2 ** 9')", "calculate('2 ** 9')"),
        ("calculate('order.total')", "calculate('order.total')"),
        ("calculate('1/0')", "1/0"),
        ("order.id.real", "order.id.real"),
        ("order.total.__class__", "order.total.__class__"),
    ],
)  # fmt: skip
def test_an_expression_without_a_value_fails_and_says_where(text: str, place: str) -> None:
    with pytest.raises(ExpressionFailed) as error:
        value(text)
    assert error.value.place == place
    assert error.value.why


@pytest.mark.parametrize(
    "given", [float("nan"), float("inf"), 10**400, Number("9" * 100_000), "x" * 20_001, object(), b"x"]
)
def test_a_record_with_a_value_that_is_too_large_or_not_json_fails(given: Any) -> None:
    with pytest.raises(ExpressionFailed):
        compile_expression("record.x").evaluate({"record": {"x": given}})


def test_only_json_values_can_be_reached() -> None:
    for text in ("order.items.append", "order.keys", "order['__class__']", "price.__class__", "today.year"):
        with pytest.raises(ExpressionFailed):
            value(text)


def test_a_condition_must_be_true_or_false() -> None:
    assert compile_expression("order.total > 1").holds(NAMES)
    with pytest.raises(ExpressionFailed):
        compile_expression("order.total").holds(NAMES)


def test_depth_is_bounded() -> None:
    assert compile_expression("(" * 19 + "1" + ")" * 19).evaluate({}) == 1
    assert compile_expression("1" + "+1" * 1_900).evaluate({}) == 1_901
    for opening, closing in (("(", ")"), ("[", "]"), ("not ", ""), ("-", ""), ("abs(", ")"), ("a[", "]")):
        with pytest.raises(ExpressionError, match="deep"):
            compile_expression(opening * 25 + "1" + closing * 25)
    with pytest.raises(ExpressionError, match="characters"):
        compile_expression("1" + " " * 4_000)


@pytest.mark.parametrize(
    "text",
    [
        "count(long, a, count(long, b, a == b) > 0)",
        "distinct(long)",
        "sum(map(long, a, sum(long)))",
        "all(long, a, a in long)",
        "all(long, a, lower(text) == lower(text))",
    ],
)
def test_every_evaluation_ends_quickly(text: str) -> None:
    names = {"long": list(range(3_000)), "text": "x" * 20_000}
    with bounded(10), pytest.raises(ExpressionFailed, match="steps"):
        compile_expression(text).evaluate(names)


def test_a_deep_record_is_compared_within_bounds() -> None:
    deep: Any = 1
    for _ in range(50_000):
        deep = [deep]
    with pytest.raises(ExpressionFailed, match="deep"):
        compile_expression("a == a").evaluate({"a": deep})


def test_the_paths_that_an_expression_reads_are_known_before_it_runs() -> None:
    text = "sum(order.items, i, i.price * rates[order.kind].x) > fee and arguments['the day'] == now"
    assert compile_expression(text).paths() == {
        ("order", "items"), ("rates",), ("order", "kind"), ("fee",), ("arguments", "the day"), ("now",),
    }  # fmt: skip


_SIGNS = "order .id .items [0] ( ) [ ] 1 2.5 'a' null true + - * / == < in not and or if else , x price today"
_WORDS = [*_SIGNS.split(), *sorted(FUNCTIONS)]


@for_any(st.lists(st.sampled_from(_WORDS), max_size=14).map(" ".join) | st.text(max_size=60), few=25)
def test_any_text_has_a_value_or_fails_with_a_known_error(text: str) -> None:
    try:
        first = value(text)
    except (ExpressionError, ExpressionFailed):
        return
    assert first == value(text)


@given(st.decimals(-(10**8), 10**8, places=4), st.decimals(-(10**8), 10**8, places=4))
def test_arithmetic_is_exact(a: Decimal, b: Decimal) -> None:
    names = {"a": a, "b": b}
    assert compile_expression("a + b - b == a").evaluate(names)
    assert compile_expression("a * b").evaluate(names) == a * b
    assert compile_expression("a <= b or a > b").evaluate(names)
