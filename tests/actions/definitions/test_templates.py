"""A value inserted into a template never changes the text around it."""

import json
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.definitions.bodies import compile_body
from actions.definitions.errors import ExpressionError, ExpressionFailed
from actions.definitions.expressions.template import Fields, compile_path, compile_template
from actions.money import Money

HOSTILE = st.text(max_size=40) | st.text(
    st.sampled_from("/\\.%?#&=;:@ab\r\n\t\0 \"'{}<>\u2028\u202e\u200b\uff0f\u2025\ud800"), max_size=12
)


@given(HOSTILE, HOSTILE)
def test_a_path_keeps_its_segments_whatever_the_values_are(one: str, other: str) -> None:
    template = compile_path("/orders/{a}/items/v{b}")
    try:
        path = template.render({"a": one, "b": other})
    except ExpressionFailed:
        return
    parts = urlsplit(f"https://shop.example{path}")
    assert (parts.netloc, parts.query, parts.fragment) == ("shop.example", "", "")
    for decoded in (path, unquote(path), unquote(unquote(path))):
        segments = decoded.split("/")
        assert len(segments) == 5
        assert not {"", ".", ".."} & set(segments[1:])
        assert not any(unicodedata.category(sign) == "Cc" for sign in decoded)
    assert unquote(path.split("/")[2]) == one


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "a/b",
        "a\\b",
        "%2e%2e",
        "a\nb",
        "a\0b",
        "\u202ea",
        "x" * 501,
        None,
        [1],
        {"a": 1},
        "\uff0f",
        "\u2025",
    ],
)
def test_a_value_that_would_escape_its_path_segment_is_refused(value: Any) -> None:
    with pytest.raises(ExpressionFailed):
        compile_path("/orders/{id}").render({"id": value})


@pytest.mark.parametrize(
    ("value", "segment"),
    [("#W1", "%23W1"), ("a b?c&d", "a%20b%3Fc%26d"), (12, "12"), (Decimal("2.50"), "2.5"), (True, "true"),
     ("..a", "..a"),
     (date(2026, 5, 31), "2026-05-31"), ("ü", "%C3%BC"), ("a;b", "a%3Bb")],
)  # fmt: skip
def test_other_values_are_encoded(value: Any, segment: str) -> None:
    assert compile_path("/orders/{id}").render({"id": value}) == f"/orders/{segment}"


@pytest.mark.parametrize(
    "text",
    ["", "orders/{id}", "/orders?id={id}", "/a/../b", "/./a", "//evil.example/a", "/a//b", "/a#b", "https://x/a",
     "/a b", "/a%2fb", "/{id", "/{}", "/a}", "{id}/a", "/\\a"],
)  # fmt: skip
def test_an_invalid_path_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_path(text)


@given(HOSTILE)
def test_a_header_stays_one_line_of_ascii(value: str) -> None:
    try:
        headers = Fields({"X-Order": compile_template("id {v}")}).headers({"v": value})
    except ExpressionFailed:
        return
    assert headers == {"X-Order": f"id {value}"}
    assert all(" " <= sign <= "~" for sign in headers["X-Order"])


@given(HOSTILE)
def test_a_query_keeps_its_names(value: str) -> None:
    fields = Fields({"id": compile_template("{v}"), "page": compile_template("1")})
    try:
        query = fields.query({"v": value})
    except ExpressionFailed:
        return
    assert parse_qsl(query, keep_blank_values=True, strict_parsing=True) == [("id", value), ("page", "1")]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | HOSTILE.filter(lambda text: "\ud800" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(JSON_VALUES)
@pytest.mark.long
def test_a_json_leaf_stays_a_leaf_and_keeps_its_type(value: Any) -> None:
    body = compile_body({"a": {"kept": "{v}"}, "after": [1, "x"]})
    assert json.loads(body.text({"v": value})) == {"a": {"kept": value}, "after": [1, "x"]}


@given(HOSTILE.filter(lambda text: "\ud800" not in text))
def test_a_mixed_json_leaf_is_text(value: str) -> None:
    assert json.loads(compile_body({"a": "id: {v}!"}).text({"v": value})) == {"a": f"id: {value}!"}


def test_numbers_of_a_body_keep_their_digits() -> None:
    names = {"amount": Decimal("0.10"), "price": Money(Decimal("12.5"), "EUR"), "many": Decimal(300)}
    body = compile_body({"a": "{amount + 0.2}", "b": "{price}", "c": "{many}", "d": 2.5, "e": "{price.amount}"})
    assert body.text(names) == '{"a":0.3,"b":"12.50","c":300,"d":2.5,"e":12.5}'


def test_a_body_leaves_out_missing_values_and_repeats_for_each_element() -> None:
    body = compile_body(
        {
            "note?": "{arguments.note}",
            "gift?": "{order.gift}",
            "lines": {"for_each": "arguments.items", "as": "item", "of": {"id": "{item.sku}", "n?": "{item.count}"}},
        }
    )
    names = {"arguments": {"items": [{"sku": "x", "count": 2}, {"sku": "y"}]}, "order": {"gift": None}}
    assert body.render(names) == {"lines": [{"id": "x", "n": 2}, {"id": "y"}]}
    assert body.paths() == {("arguments", "note"), ("order", "gift"), ("arguments", "items")}
    with pytest.raises(ExpressionFailed):
        body.render({"arguments": {"items": "abc"}, "order": {}})


def test_missing_optional_query_parameters_and_headers_are_left_out() -> None:
    fields = Fields({"a?": compile_template("{x}"), "b?": compile_template("{y}"), "c": compile_template("z")})
    assert fields.query({"y": "1 2"}) == "b=1%202&c=z"
    assert fields.headers({"x": None, "y": "1"}) == {"b": "1", "c": "z"}


def test_a_list_repeats_its_name_in_a_query() -> None:
    fields = Fields({"tag": compile_template("{tags}"), "n": compile_template("{n}")})
    assert fields.query({"tags": ["a&b", Decimal("2.50")], "n": 1}) == "tag=a%26b&tag=2.5&n=1"
    assert fields.query({"tags": [], "n": 1}) == "n=1"
    with pytest.raises(ExpressionFailed):
        fields.query({"tags": [["a"]], "n": 1})


@pytest.mark.parametrize("names", [{}, {"other": 1}])
def test_a_missing_value_fails_and_sends_nothing(names: dict[str, Any]) -> None:
    for rendered in (
        lambda: compile_path("/orders/{id}").render(names),
        lambda: compile_body({"id": "{id}"}).text(names),
        lambda: Fields({"id": compile_template("{id}")}).query(names),
        lambda: compile_template("Order {id}").words(names, "en"),
    ):
        with pytest.raises(ExpressionFailed) as error:
            rendered()
        assert error.value.place == "id"


def test_words_show_amounts_and_numbers_in_readable_form() -> None:
    template = compile_template("{{{order}}}: {total}, {count} {skus}{nothing}")
    names = {"order": "A\u202e-1\n", "total": Money(Decimal("1234.5"), "EUR"), "count": Decimal("2.50"),
             "skus": ["x", "y"], "nothing": None}  # fmt: skip
    assert template.words(names, "en") == "{A-1}: €1,234.50, 2.5 x, y"
    assert template.words(names, "de") == "{A-1}: 1.234,50\N{NO-BREAK SPACE}€, 2.5 x, y"
    assert len(compile_template("{t}").words({"t": "x" * 5_000}, "en")) == 300


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{time('2026-12-09T05:00:00Z')}", "9 Dec 2026 06:00"),  # UTC is shown in the workspace's time zone
        ("{time('2026-12-09T05:00:00-05:00')}", "9 Dec 2026 05:00"),  # a local time is shown as it is
        ("{time('2026-12-09T05:00:00Z', 'America/New_York')}", "9 Dec 2026 00:00"),
        ("{time('2026-12-09T05:00:00', 'Europe/London')}", "9 Dec 2026 05:00"),
        ("{time(at)}", "9 Dec 2026 06:00"),
        ("{time(at, 'Europe/London')}", "9 Dec 2026 05:00"),
        ("{time('2026-07-09T05:00:00+01:00', 'Europe/London')}", "9 Jul 2026 05:00"),
        ("{time(time(at), 'America/New_York')}", "9 Dec 2026 00:00"),
        ("{time(now, 'America/New_York')}", "31 May 2026 06:00"),
        ("{now}", "31 May 2026 12:00"),
    ],
)
def test_words_show_times_in_the_customers_time_zone(text: str, shown: str) -> None:
    berlin = datetime(2026, 5, 31, 12, tzinfo=ZoneInfo("Europe/Berlin"))
    names = {"now": berlin, "today": berlin.date(), "at": "2026-12-09T05:00:00+00:00"}
    assert compile_template(text).words(names, "en") == shown


@given(HOSTILE)
def test_words_are_one_visible_line(value: str) -> None:
    try:
        words = compile_template("Order {v}.").words({"v": value}, "en")
    except ExpressionFailed:
        return
    assert not any(unicodedata.category(sign) in ("Cc", "Cs", "Zl", "Zp") for sign in words)
    assert "\u202e" not in words


@pytest.mark.parametrize("text", ["{", "}", "{}", "{a", "a}", "{a{b}}", "{'}", "{1 +}", "x" * 4_001])
def test_an_invalid_template_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        compile_template(text)


def test_braces_in_quoted_texts_belong_to_the_expression() -> None:
    assert compile_template('{a == \'}\' } {"\\"}"}').words({"a": "}"}, "en") == 'Yes "}'


def test_a_body_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(30):
        deep = [deep]
    for body in (deep, {str(place): "x" for place in range(600)}):
        with pytest.raises(ExpressionError):
            compile_body(body)
    big = compile_body({"a": {"for_each": "l", "as": "i", "of": {"x": "1", "y": "2", "z": "3"}}})
    with pytest.raises(ExpressionFailed, match="steps"):
        big.render({"l": list(range(9_000))})


def test_a_long_list_says_how_many_entries_it_leaves_out() -> None:
    shown = compile_template("{skus}").words({"skus": [f"s{number}" for number in range(60)]}, "en")
    assert shown.startswith("s0, s1, ") and shown.endswith("s49, … (+10)")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([1, 2.5, Decimal("3.50"), True, None], "1, 2.5, 3.5, Yes, "),
        ([date(2026, 12, 19), "2026-12-20"], "19 December 2026, 20 December 2026"),
        ([Money(Decimal("12.50"), "EUR")], "\N{EURO SIGN}12.50"),
        ("2026-12-19", "19 December 2026"), ("2026-02-30", "2026-02-30"), ("2026-12-19T10:00", "2026-12-19T10:00"),
        ("A 2026-12-19", "A 2026-12-19"),
    ],
)  # fmt: skip
def test_words_are_written_for_people(value: Any, told: str) -> None:
    assert compile_template("{a}").words({"a": value}, "en") == told


def test_a_day_is_written_in_the_customers_language() -> None:
    assert compile_template("{a}").words({"a": "2026-12-19"}, "de") == "19. Dezember 2026"


def test_yes_and_no_are_written_in_the_customers_language() -> None:
    assert [compile_template("{a}").words({"a": one}, "fr") for one in (True, False)] == ["Oui", "Non"]
