"""Ends of sentences: if one is too early, a source is lost; if too late, an invention is attached to a fact."""

import pytest

from supportbot.language import sentences
from supportbot.language.sentences import sentences_of, split_first_sentence


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("It is free. Returns are too.", "It is free. "),
        ("It is free. [1] Returns are too.", "It is free. [1] "),
        ("It is free. [Source 2] Returns are too.", "It is free. [Source 2] "),
        ("It is done. [Agent Dana joined] Hello.", "It is done. "),
        ("It is done. [System: approved] Hello.", "It is done. "),
        ("See e.g. page 4. Then call.", "See e.g. page 4. "),
        ("C’est gratuit. [Source 1] Les retours aussi.", "C’est gratuit. [Source 1] "),
        ("Es gratis. [Fuente 1] También la vuelta.", "Es gratis. [Fuente 1] "),
        ("Jest za darmo. [Źródło 1] Zwroty też.", "Jest za darmo. [Źródło 1] "),
        ("Ücretsiz. [Kaynak 1] İade de.", "Ücretsiz. [Kaynak 1] "),
        ("مجاني. [المصدر 1] والإرجاع أيضا.", "مجاني. [المصدر 1] "),
        ("It is free. [For example] Returns are too.", "It is free. "),
        ("Das sind z. B. Jacken, d. h. Kleidung. Mehr nicht.", "Das sind z. B. Jacken, d. h. Kleidung. "),
        ("Envíe p. ej. Una foto. Gracias.", "Envíe p. ej. Una foto. "),
        ("La Sra. García llamó. Fin.", "La Sra. García llamó. "),
        ("Fällig am 5. Mai. Danke.", "Fällig am 5. Mai. "),
        ("Termin płatności to 5. Maja. Dziękujemy.", "Termin płatności to 5. Maja. "),
        ("Gehen Sie in Raum 5. Mailen Sie uns dann.", "Gehen Sie in Raum 5. "),
        ("返品は無料です。交換もです。", "返品は無料です。"),
    ],
)
def test_a_sentence_ends_with_its_markers_and_before_the_next_one(text: str, first: str) -> None:
    assert next(sentences_of(text)) == first
    assert "".join(sentences_of(text)) == text


@pytest.mark.parametrize(
    "text", ["It is free. [", "It is free. [S", "It is free. [Q", "Es gratis. [Fuen", "Am 5. Ma", "It is fre"]
)
def test_a_stream_waits_while_a_marker_may_follow(text: str) -> None:
    assert split_first_sentence(text) is None


TRICKY = [
    "See e.g. the label, i.e. z. B.\nthat one. Nr. 5 [1][Source 2] is next! Am 5. Mai geht es los.",
    "Wait?! Yes. [Source says so] Then… [1]\n\n1. One\n2. Two [^3] 「はい。」次。終",
    "Yes. " * 3 + "[1] " * 40 + "No.",
]


@pytest.mark.parametrize("text", TRICKY)
@pytest.mark.parametrize("step", [1, 2, 5])
def test_skipping_searched_text_changes_no_sentence(text: str, step: int) -> None:
    assert streamed(text, step, skips=True) == streamed(text, step, skips=False)


def test_searched_text_is_not_searched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(sentences, "goes_on", lambda text, stop: asked.append(stop) or True)
    streamed("e.g. " * 200, 5, skips=True)
    assert len(asked) < 3 * 200


def streamed(text: str, step: int, *, skips: bool) -> list[str]:
    found, rest, seen = [], "", 0
    for at in range(0, len(text), step):
        rest += text[at : at + step]
        while (cut := split_first_sentence(rest, seen)) is not None:
            first, rest = cut
            found.append(first)
            seen = 0
        seen = len(rest) if skips else 0
    return [*found, rest]
