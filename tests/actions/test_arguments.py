"""Arguments from outside: valid ones are accepted, others are refused, and the digest covers them all."""

import json
import unicodedata
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.argument_json import read_arguments
from actions.argument_types import Shape, Text, parse_arguments
from actions.canonical_json import canonical, digest_of, is_same_digest
from actions.errors import InvalidArguments, UnknownAction
from actions.money import Money, format_amount, format_money, is_amount_in, parse_amount
from actions.reasons import CODES, Reason, sentence
from actions.registry import action_named, all_actions
from actions.spec import ReadAction
from supportbot.translation import LANGUAGES, text_in

REFUND = action_named("refund_order").arguments
ADDRESS = action_named("change_shipping_address").arguments


def parse(text: str) -> dict[str, Any]:
    return parse_arguments(REFUND, read_arguments(text))


def refused(text: str) -> dict[str, list[str]]:
    with pytest.raises(InvalidArguments) as error:
        parse(text)
    assert error.value.fields
    return error.value.fields


@pytest.mark.parametrize(
    ("written", "amount"),
    [('"12.5"', "12.50"), ("12.50", "12.50"), ("5", "5.00"), ('"007"', "7.00"), ("12.505", "12.505")],
)
def test_amounts_are_parsed_from_their_digits(written: str, amount: str) -> None:
    assert parse(f'{{"order_id": "A-1", "reason": "x", "amount": {written}}}')["amount"] == amount


@pytest.mark.parametrize(
    "written",
    [
        '"1e2"', "1e2", "1E2", '"1_0"', '" 5 "', '"5\\u200b"', '"\\u0661\\u0669"', '"\\uff15"', '"NaN"', '"Infinity"',
        '"-5"', "-5", "-0", "0", '"0.00"', "10.0005", '"19,99"', '"0x13"', '""', "true", "null", "[10]", '{"$gt": 0}',
        '"10.00; DROP TABLE orders"', "1e+308", '"1."', '".5"', '"+5"', "9" * 400, '"1000000000"', '"5\\n"',
    ],
)  # fmt: skip
def test_other_amounts_are_refused(written: str) -> None:
    assert list(refused(f'{{"order_id": "A-1", "reason": "x", "amount": {written}}}')) == ["amount"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"order_id": "A-1", "reason": "x", "amount": NaN}', "arguments"),
        ('{"order_id": "A-1", "reason": "x"} {}', "arguments"),
        ('{"order_id": "A-1", "reason": "x", "order_id": "B-2"}', "order_id"),
        ("[" * 15_000, "arguments"),
        ('{"a":' * 3_000 + "1" + "}" * 3_000, "arguments"),
        (json.dumps({"order_id": "A-1", "reason": "x" * 20_000}), "arguments"),
        ("order_id='A-1'", "arguments"),
        ('{"order_id": "A-1", "amo', "arguments"),
        ("[]", "arguments"),
        ("", "arguments"),
        ('{"order_id": "A-1", "reason": "\\ud800"}', "reason"),
        ('{"order_id": "A-1", "reason": "a\\u0000b"}', "reason"),
        ('{"order_id": "A-1", "reason": "a\\u202eb"}', "reason"),
        ('{"order_id": "A-1", "reason": "a\\u200bb"}', "reason"),
        ('{"order_id": "A-1", "reason": "a\\udb40\\udd00\\udb40\\udd01b"}', "reason"),
        ('{"order_id": "A-1", "reason": "\\u3164"}', "reason"),
        ('{"order_id": "A-1", "reason": "a\\ufe0fb"}', "reason"),
        ('{"order_id": "A-1", "reason": "a' + "\\u0303" * 9 + '"}', "reason"),
        ('{"order_id": "A-1", "reason": "  "}', "reason"),
        ('{"order_id": "A-1", "reason": 5}', "reason"),
        ('{"order_id": "A-1\\u0000", "reason": "x"}', "order_id"),
        ('{"order_id": ["A-1"], "reason": "x"}', "order_id"),
        ('{"order_id": 1001, "reason": "x"}', "order_id"),
        ('{"order_id": "../customers/c-bob", "reason": "x"}', "order_id"),
        ('{"order_id": "%", "reason": "x"}', "order_id"),
        ('{"order_id": "\\u0410-1001", "reason": "x"}', "order_id"),
        ('{"order_id": "A-1", "reason": "x", "customer_id": "c-bob"}', "customer_id"),
        ('{"order_id": "A-1", "reason": "x", "skip_confirmation": true}', "skip_confirmation"),
        ('{"order_id": "A-1", "reason": "x", "items": []}', "items"),
        ('{"order_id": "A-1", "reason": "x", "items": [{"sku": "A", "quantity": 1.0}]}', "items.0.quantity"),
        ('{"order_id": "A-1", "reason": "x", "items": [{"sku": "A", "price": "1"}]}', "items.0.price"),
        ('{"reason": "x"}', "order_id"),
    ],
)  # fmt: skip
def test_an_error_names_its_field(text: str, field: str) -> None:
    assert field in refused(text)


@pytest.mark.parametrize(
    "reason",
    [
        "Größe 42 passt nicht",
        "Việt Nam",
        "☹️ broken",
        "שלום",
        "नमस्ते",
        "2️⃣ left shoes",
        "for my 👩\u200d👧",
        "می\u200cخواهم",
    ],
)
def test_ordinary_text_is_a_valid_reason(reason: str) -> None:
    written = json.dumps({"order_id": "A-1", "reason": reason})
    assert parse(written)["reason"] == unicodedata.normalize("NFC", reason)


def test_items_and_an_amount_together_are_refused() -> None:
    assert "amount" in refused('{"order_id": "A-1", "reason": "x", "amount": "1", "items": [{"sku": "A"}]}')


def test_an_address_is_an_object_with_known_fields() -> None:
    for address in ("1 Drop St", {"line1": "x"}, {"line1": "x", "postal_code": "1", "city": "y", "geo": "z"}):
        with pytest.raises(InvalidArguments):
            parse_arguments(ADDRESS, read_arguments({"order_id": "A-1", "address": address}))


def test_a_mapping_is_checked_by_the_same_rules() -> None:
    for value in (float("nan"), object(), 10**5000):
        with pytest.raises(InvalidArguments):
            parse_arguments(REFUND, read_arguments({"order_id": "A-1", "reason": "x", "amount": value}))


@given(st.text(max_size=40))
def test_any_text_accepted_as_an_amount_is_that_amount(text: str) -> None:
    amount = parse_amount(text)
    if amount is not None:
        assert text.isascii() and Decimal(text) == amount and is_amount_in(format_amount(amount, "KWD"), "KWD")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(st.text() | JSON.map(json.dumps))
def test_any_text_is_parsed_or_refused_with_a_field(text: str) -> None:
    try:
        assert set(parse(text)) <= {"order_id", "reason", "amount", "items"}
    except InvalidArguments as error:
        assert error.fields


WS, CU, RQ = (UUID(int=number) for number in (1, 2, 3))


def digest(**changes: Any) -> str:
    content: dict[str, Any] = {
        "workspace": WS, "customer": CU, "request": RQ, "action": "refund_order", "spec_version": 1,
        "policy_version": 1, "arguments": {"order_id": "A-1", "amount": "12.50", "reason": "é"},
    }  # fmt: skip
    return digest_of(**{**content, **changes})


def test_the_digest_can_be_computed_independently() -> None:
    """The digest is the SHA-256 of exactly this text, so that other programs can verify a card."""
    text = (
        '{"action":"refund_order","arguments":{"amount":"12.50","order_id":"A-1","reason":"é"},'
        '"customer":"00000000-0000-0000-0000-000000000002","policy_version":1,'
        '"request":"00000000-0000-0000-0000-000000000003","spec_version":1,"v":1,'
        '"workspace":"00000000-0000-0000-0000-000000000001"}'
    )
    import hashlib

    assert digest() == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "changes",
    [
        {"workspace": CU}, {"customer": WS}, {"request": WS}, {"action": "cancel_order"}, {"spec_version": 2},
        {"policy_version": 2}, {"arguments": {"order_id": "A-1", "amount": "12.51", "reason": "é"}},
        {"arguments": {"order_id": "A-1", "amount": "12.50", "reason": "é", "extra": ""}},
    ],
)  # fmt: skip
def test_every_part_changes_the_digest(changes: dict[str, Any]) -> None:
    assert digest(**changes) != digest()


@given(JSON)
@pytest.mark.long
def test_the_order_of_keys_and_the_form_of_letters_do_not_matter(value: Any) -> None:
    def twisted(part: Any) -> Any:
        if isinstance(part, dict):
            return {twisted(name): twisted(item) for name, item in reversed(part.items())}
        if isinstance(part, list):
            return [twisted(item) for item in part]
        return unicodedata.normalize("NFD", part) if isinstance(part, str) else part

    composed = canonical(value) if _is_storable(value) else None
    if composed is not None and len(_keys(value)) == len({unicodedata.normalize("NFC", key) for key in _keys(value)}):
        assert canonical(twisted(value)) == composed


def _is_storable(value: Any) -> bool:
    return not any("\ud800" <= char <= "\udfff" for char in json.dumps(value, ensure_ascii=False))


def _keys(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(key for item in value.values() for key in _keys(item))]
    return [key for item in value for key in _keys(item)] if isinstance(value, list) else []


def test_only_the_digest_itself_matches() -> None:
    stored = digest()
    assert is_same_digest(stored, stored)
    for wrong in ("", stored[:-1], stored + "0", stored.upper(), "é" * 64):
        assert not is_same_digest(wrong, stored)


def test_the_catalogue_is_complete() -> None:
    assert set(all_actions()) == {"cancel_order", "change_shipping_address", "order_status", "refund_order"}
    for name in ("refund_\u043erder", "REFUND_ORDER", "confirm_action", "", "a\x00"):
        with pytest.raises(UnknownAction):
            action_named(name)
    for action in all_actions().values():
        assert set(action.description) == {"en", "de"}
        assert len({text_in(language, action.title) for language in LANGUAGES}) >= 8, "a title in each language"
        assert set(action.examples) == {"en", "de", "fr", "es", "it", "nl"}
        assert min(len(wishes) for wishes in action.examples.values()) >= 4
        assert action.json_schema()["additionalProperties"] is False
        assert isinstance(action, ReadAction) == action.is_read
        assert not {"customer", "customer_id", "email", "workspace", "currency"} & set(
            action.json_schema()["properties"]
        )


@pytest.mark.parametrize(
    ("amount", "locale", "shown"),
    [
        (Money(Decimal("1234.5"), "EUR"), "en", "€1,234.50"),
        (Money(Decimal("1234.5"), "EUR"), "de", "1.234,50\u00a0€"),
        (Money(Decimal("1234.5"), "EUR"), "de-AT", "€\u00a01.234,50"),
        (Money(Decimal("1234.5"), "EUR"), "fr", "1\u202f234,50\u00a0€"),
        (Money(Decimal("1234.5"), "EUR"), "pl", "1\u00a0234,50\u00a0€"),
        (Money(Decimal("1234.5"), "EUR"), "ar", "\u200f1,234.50\u00a0€"),
        (Money(Decimal("1234.5"), "EUR"), "ar-EG", "\u200f١٬٢٣٤٫٥٠\u00a0€"),
        (Money(Decimal("1234.5"), "EUR"), "xx", "€1,234.50"),
        (Money(Decimal(5), "CHF"), "en", "CHF\u00a05.00"),
    ],
)
def test_money_is_formatted_for_the_locale(amount: Money, locale: str, shown: str) -> None:
    assert format_money(amount, locale) == shown


def test_reasons_are_written_in_every_language() -> None:
    for code in CODES:
        reason = Reason(code, {"message": "{order} <b>", "days": "30"})
        assert len({sentence(reason, language) for language in LANGUAGES}) == len(LANGUAGES), code
    far = Reason("other_country", {"order": "A-1", "country": "DE"})
    assert sentence(far, "en") == "Order A-1 can only be sent to an address in Germany."
    assert "Niemcy" in sentence(far, "pl")
    assert sentence(Reason("outside_window", {"order": "A-1"}), "en").endswith(
        "– days ago, so it can no longer be refunded."
    )
    most = Reason("amount_above_remaining", {"order": "A-1", "left": "1250.50", "currency": "EUR"})
    assert sentence(most, "en") == "At most €1,250.50 can still be refunded on order A-1."
    assert "höchstens noch 1.250,50\u00a0€ erstattet" in sentence(most, "de")
    unrequested = replace(most, code="amount_above_unrequested", facts={**most.facts, "pending": "30.00"})
    assert "30,00\u00a0€ beantragt" in sentence(unrequested, "de")
    assert "12.50 EUR" in sentence(Reason("amount_above_remaining", {"left": "12.50 EUR"}), "en")  # an older row
    assert "{order} <b>" in sentence(Reason("merchant_refused", {"message": "{order} <b>"}), "en")


@pytest.mark.parametrize(
    ("pattern", "written", "parsed"),
    [("CS-[0-9]{4}", "cs-1001", "CS-1001"), ("[a-z]+", "Tent", "tent"), ("[A-Za-z]+", "Tent", "Tent")],
)
def test_text_in_another_case_gets_the_case_of_its_pattern(pattern: str, written: str, parsed: str) -> None:
    shape = Shape(required={"order": Text("The order.", pattern=pattern)}, optional={})
    assert parse_arguments(shape, {"order": written}) == {"order": parsed}


@pytest.mark.parametrize(("pattern", "written"), [("Ab-[0-9]", "aB-1"), ("([A-Z]+|[a-z]+)", "Ab")])
def test_text_that_fits_its_pattern_in_no_case_or_in_two_is_refused(pattern: str, written: str) -> None:
    shape = Shape(required={"order": Text("The order.", pattern=pattern)}, optional={})
    with pytest.raises(InvalidArguments):
        parse_arguments(shape, {"order": written})
