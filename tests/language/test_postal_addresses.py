"""Postal addresses by their format."""

import pytest

from supportbot.language.detection import detect
from supportbot.language.postal_addresses import address_in, without_address


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("an die Talstraße 8, 79102 Freiburg liefern", ("Talstraße 8", "79102", "Freiburg")),
        ("to An der Alster 5, 20099 Hamburg please", ("An der Alster 5", "20099", "Hamburg")),
        ("hauptstr. 12a 10115 berlin", ("hauptstr. 12a", "10115", "berlin")),
        ("to 12 High Street, Bristol BS1 4QA instead", ("12 High Street", "BS1 4QA", "Bristol")),
        ("Rosenweg 5, 60311 Frankfurt am Main, bitte", ("Rosenweg 5", "60311", "Frankfurt am Main")),
    ],
)
def test_an_address_is_recognised(text: str, parts: tuple[str, str, str]) -> None:
    found = address_in(text)
    assert (found["line1"], found["postal_code"], found["city"]) == parts


@pytest.mark.parametrize("text", ["order 20418 in 5 days", "I paid 50 euros", "two boots, size 41", ""])
def test_text_without_an_address_has_none(text: str) -> None:
    assert address_in(text) == {}


@pytest.mark.parametrize("blank", ["\n", "\n\n", " \n ", "\u00a0", "  ", "\t"])
def test_text_after_an_address_is_not_part_of_it(blank: str) -> None:
    said = f"Ich wohne jetzt Hauptstraße 5, 10115 Berlin{blank}Grüße Anna"
    assert len(without_address(said)) == len(said) and "10115" not in without_address(said)
    assert detect(said, "en") == "de"
    assert address_in(said)["city"].startswith("Berlin")


def test_a_city_of_several_words_is_found() -> None:
    said = "Send it to Elm Road 5, 79098 Bad\u00a0Krozingen please"
    assert "Krozingen" not in without_address(said) and without_address(said).endswith("please")
