"""The addresses in a text, with and without a scheme."""

import pytest

from supportbot.language.links import links_in


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("see evil.com/pay.", {"evil.com/pay"}),
        ("https://www.Example.org/a/", {"example.org/a"}),
        ("write to a@b.example", {"a@b.example"}),
        ("[x](/admin)", {"/admin"}),
        ("javascript:alert", {"javascript:alert"}),
        ("at 9:00, e.g. today, z.B. so; **Returns:** soon", set()),
    ],
)
def test_addresses_are_seen_with_and_without_a_scheme(text: str, links: set[str]) -> None:
    assert links_in(text) == links
