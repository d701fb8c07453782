"""Personal data that is recognised by its format, and numbers that are not personal."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.conf import settings

from supportbot.language import personal_data
from supportbot.language.personal_data import personal_data_in
from tests.pace import bounded


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, one.text) for one in personal_data_in(text)]


@pytest.mark.parametrize(
    ("text", "kind", "part"),
    [
        ("Write to alice.b+c@shop.example.com.", "EMAIL", "alice.b+c@shop.example.com"),
        ("**Jörg@Müller.example**", "EMAIL", "Jörg@Müller.example"),
        ("card 4111 1111 1111 1111.", "CARD", "4111 1111 1111 1111"),
        ("4111-1111-1111-1111, exp 12/28", "CARD", "4111-1111-1111-1111"),
        ("3782 822463 10005", "CARD", "3782 822463 10005"),
        ("5555555555554444", "CARD", "5555555555554444"),
        ("IBAN DE89 3704 0044 0532 0130 00 bitte", "IBAN", "DE89 3704 0044 0532 0130 00"),
        ("de89370400440532013000", "IBAN", "de89370400440532013000"),
        ("GB82 WEST 1234 5698 7654 32.", "IBAN", "GB82 WEST 1234 5698 7654 32"),
        ("FR14 2004 1010 0505 0001 3M02 606", "IBAN", "FR14 2004 1010 0505 0001 3M02 606"),
        ("call +49 (0)761 / 123456 please", "PHONE", "+49 (0)761 / 123456"),
        ("0049 151 2345678", "PHONE", "0049 151 2345678"),
        ("0171 12 34 567 oder später", "PHONE", "0171 12 34 567"),
        ("(0761) 123456", "PHONE", "(0761) 123456"),
        ("06 12 34 56 78", "PHONE", "06 12 34 56 78"),
        ("06.12.34.56.78", "PHONE", "06.12.34.56.78"),
        ("020 7946 0958", "PHONE", "020 7946 0958"),
        ("at (727) 760-7806 after five", "PHONE", "(727) 760-7806"),
        ("1-727-760-7806", "PHONE", "1-727-760-7806"),
        ("601 234 567", "PHONE", "601 234 567"),
        ("612 34 56 78", "PHONE", "612 34 56 78"),
    ],
)
def test_personal_data_is_found_whole(text: str, kind: str, part: str) -> None:
    assert found(text) == [(kind, part)]


@pytest.mark.parametrize(
    "text",
    [
        "order WF-20418 for €69.00 on 2026-11-24",
        "order 7916676427, customer 20431",
        "4111 1111 1111 1112",  # not a card: the check digit is wrong
        "DE89370400440532013001",
        "EAN 4006381333931",
        "parcel 00340434161094021510 and JJD000390007827",
        "id 01921034-1234-7890-8123-123456789012",
        "25.11.2026 14:30, 05/11/2026 12:30, 01.02.2026 10 Uhr",
        "2026-11-25T10:00:00+00:00",
        "1.234.567,89 EUR, 612 345 678 €, +10 000 000 €",
        "09:00-18:00, Mo-Fr 09 00 - 18 00",
        "@shop, alice@home, 5 @ 10.00",
    ],
)
def test_orders_dates_amounts_and_mistyped_numbers_are_not_personal_data(text: str) -> None:
    assert found(text) == []


def test_two_spellings_have_one_key() -> None:
    keys = {one.key for one in personal_data_in("Alice@Example.com alice@example.com")}
    assert keys == {"alice@example.com"}
    assert len({one.key for one in personal_data_in("4111 1111 1111 1111, 4111111111111111")}) == 1


def test_several_pieces_of_personal_data_are_found_in_order() -> None:
    text = "I am a@b.example, 0171 1234567, card 4111111111111111, DE89370400440532013000."
    assert [kind for kind, _ in found(text)] == ["EMAIL", "PHONE", "CARD", "IBAN"]


def test_the_patterns_for_numbers_find_nothing_more_outside_of_the_places_with_many_digits() -> None:
    signs = Random(1)
    for number in ("+49 (0)761 / 123456", "(0761) 123456", "020 7946 0958", "1-727-760-7806", "4111 1111 1111 1111"):
        for _ in range(400):
            around = ["".join(signs.choices("0123456789+()-./ €:a", k=12)) for _ in range(3)]
            text = number.join(around)
            for pattern in (personal_data._PHONE, personal_data._CARD):
                places = list(personal_data._MANY_DIGITS.finditer(text))
                some = [match.span() for match in personal_data._numbers(pattern, text, places)]
                assert some == [match.span() for match in pattern.finditer(text)], text


@pytest.mark.parametrize("text", ["x" * 20_000 + "@", "1 " * 8_000, "0 1" * 5_000, "a@" * 8_000, "DE89 " * 3_000])
def test_every_text_is_read_quickly(text: str) -> None:
    with bounded(3):
        found(text)


def test_example_questions_contain_no_personal_data() -> None:
    files = sorted((settings.BASE_DIR / "examples").glob("evaluation/*.jsonl"))
    assert len(files) >= 6
    assert [(text, found(text)) for file in files for text in texts_in(file) if found(text)] == []


def texts_in(file: Path) -> Iterator[str]:
    for line in file.read_text().splitlines():
        yield from strings(json.loads(line))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from strings(one)
