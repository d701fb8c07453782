"""The small words that change a sentence's meaning, by category, in nine languages."""

import json
from pathlib import Path

import pytest

from supportbot.language.operators import categories, languages_with_operators, operators

DATA = Path(__file__).parent.parent.parent / "supportbot/language/data"


@pytest.mark.parametrize(
    ("language", "text", "has", "has_not"),
    [
        ("en", "No later than Friday.", {"most"}, {"none", "after"}),
        ("en", "You don't ask at least twice.", {"not", "least", "twice"}, {"less"}),
        ("de", "Nur wenn Sie keine Gutscheine nutzen.", {"only", "if", "not"}, set()),
        ("fr", "Ce n'est possible que le samedi.", {"only"}, {"not"}),
        ("fr", "Il n'y a plus de frais.", {"not", "paid"}, {"more"}),
        ("es", "Siempre que no sea festivo.", {"if", "not"}, {"always"}),
        ("it", "Non costa niente, neanche dopo.", {"not", "none", "after"}, set()),
        ("nl", "Ten minste drie dagen zonder kosten.", {"least", "free"}, {"less"}),
        ("pl", "Co najmniej trzy dni, bez opłat.", {"least", "free"}, {"less"}),
        ("pt", "No máximo dez dias, a menos que chova.", {"most", "except"}, {"less"}),
        ("tr", "Ürünler alınmıyor, para iade edilmez.", {"not", "paid"}, {"free"}),
        ("tr", "İngiltere'de kargo.", set(), {"also"}),
        ("tr", "Kargo da ücretsiz.", {"also", "free"}, set()),
        ("ja", "not only", set(), {"not", "only"}),
    ],
)
def test_operators_are_counted_by_category(language: str, text: str, has: set[str], has_not: set[str]) -> None:
    found = operators(text, language).keys()
    assert has <= found
    assert not has_not & found


def test_every_language_lists_every_category() -> None:
    assert languages_with_operators() == {"en", "de", "fr", "es", "it", "nl", "pl", "pt", "tr"}
    for language in languages_with_operators():
        file = DATA / f"operators.{language}.json"
        assert tuple(sorted(json.loads(file.read_text(encoding="utf-8")))) == categories()
