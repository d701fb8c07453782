"""Operations that always fail because of the types of their values are found when a definition is saved."""

import pytest

from actions.argument_types import Amount, Count, Date, Flag, Listing, Text
from actions.definitions.errors import ExpressionError, InvalidDefinition
from actions.definitions.expressions.expression import compile_expression
from actions.definitions.expressions.type_checks import samples_of
from actions.definitions.parsing.document import check_draft, parse_document
from supportbot.console.definitions.form_layout import PARTS
from tests.actions.defined.conftest import document

ARGUMENTS = samples_of({
    "until": Date(""), "price": Amount(""), "pieces": Count("", 10), "gift": Flag(""), "note": Text(""),
    "items": Listing("", Text(""), 5),
})  # fmt: skip


def problem_of(text: str, *, is_condition: bool = False) -> str:
    try:
        compile_expression(text).check_types(ARGUMENTS, is_condition=is_condition)
    except ExpressionError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("today + 14", "write days(28) for a number of days"),
        ("arguments.until <= today + 14", "(at character 20)"),
        ("days_between(order.placed, today) <= days(14)", "write days(…) around the number"),
        ("arguments.pieces == '3'", "write number(…) around the text"),
        ("arguments.note < 'b'", "Text cannot be ordered"),
        ("order.status < 'b'", "Text cannot be ordered"),
        ("arguments.until in ['2026-01-01']", "write date(…) around the text"),
        ("arguments.pieces in [null, 'x', 1]", "write number(…) around the text"),
        ("order.x and arguments.note", "A condition must be true or false, but this is text"),
        ("not today", "but this is a date"),
        ("all(order.items, i, 3)", "but this is a number"),
        ("count(arguments.note)", "A list is needed here"),
        ("sum(today)", "A list is needed here"),
        ("lower(arguments.pieces)", "Text is needed here"),
        ("order.x if arguments.gift else today * 2", "cannot be multiplied"),
        ("number(arguments.gift)", "A number is needed here"),
        ("status == '200'", "write number(…) around the text"),
        ("max(today, 3)", "cannot be compared"),
        ("-today", "cannot be multiplied"),
    ],
)
def test_an_operation_that_fails_whenever_it_is_evaluated_is_found(text: str, part: str) -> None:
    assert part in problem_of(text)


@pytest.mark.parametrize(
    "text",
    [
        "order.total + 14", "today + days(14)", "now - hours(3) > time(order.placed)", "today + hours(24)",
        "arguments.until == null", "arguments.note in arguments.items", "order.total / arguments.pieces < 20",
        "'a' in arguments.note", "sum(map(order.items, i, i.price)) > 3", "min([order.a, order.b]) < 3",
        "distinct([order.a, 1]) == []", "count(order.items, today, today.price > 3) == 0",
        "round(arguments.price, 2) + 1", "number(arguments.note) > 3",
        "money(arguments.price, 'EUR') > money(2, 'EUR')",
        "(days(1) - days(1)) < days(2)", "1 / (order.x - 1) > 0", "[order.a, today][0] == 3", "text(today) == key",
        "days_between(arguments.note, today) < 3", "lower(identity.sub) == order.customer",
        "has(order.x) or arguments.gift", "arguments.pieces in [1, 'x']", "arguments.pieces in [order.pieces, 'x']",
        "order.x if order.y else null", "calculate(arguments.note) > 1", "date(arguments.note) < today",
        *(text for part in PARTS for text, _ in part.examples),
    ],
)  # fmt: skip
def test_an_operation_that_may_succeed_is_accepted(text: str) -> None:
    assert problem_of(text) == ""


def test_a_guard_must_be_a_condition() -> None:
    assert "A condition must be true or false, but this is a date" in problem_of("today + days(14)", is_condition=True)
    assert problem_of("order.total", is_condition=True) == ""


def test_a_version_published_before_this_check_stays_valid() -> None:
    guard = {**document()["guards"][0], "require": "order.status == 'pending' or today + 14 > today"}
    made = document(guards=[guard])
    for read in (check_draft, parse_document):
        with pytest.raises(InvalidDefinition) as refused:
            read(made)
        assert set(refused.value.fields) == {"guards[0].require"}
    assert parse_document(made, is_published=True).guards and parse_document(made, as_made=True).guards
