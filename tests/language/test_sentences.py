"""Where a sentence ends: too early costs a source, too late lets an invention ride on a fact."""

import pytest

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
        ("返品は無料です。交換もです。", "返品は無料です。"),
    ],
)
def test_a_sentence_ends_with_its_markers_and_before_the_next_one(text: str, first: str) -> None:
    assert next(sentences_of(text)) == first
    assert "".join(sentences_of(text)) == text


@pytest.mark.parametrize("text", ["It is free. [", "It is free. [S", "It is free. [Q", "It is fre"])
def test_a_stream_waits_while_a_marker_may_follow(text: str) -> None:
    assert split_first_sentence(text) is None
