"""Markdown as text in a terminal."""

import pytest

from supportbot.language.terminal_text import for_terminal

TABLE = "| Country | Price |\n|---|--:|\n| *Austria* | €6.90 |"


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("Run `ls | grep foo`.", "Run ls | grep foo."),
        ("Mon | Tue", "Mon | Tue"),
        ("- **Mon** | Tue\n- Wed", "- Mon | Tue\n- Wed"),
        (TABLE, "Country · Price\nAustria · €6.90"),
        ("Cost:\n\nTo | Is\n---|---\nAustria | €6.90\n\nMon | Tue", "Cost:\n\nTo · Is\nAustria · €6.90\n\nMon | Tue"),
        ("| Austria | €6.90 |", "Austria · €6.90"),
        ("|x|", "|x|"),
        (r"| a \| b | c |", "a | b · c"),
        ("Cost \\| is\n\n| To | Is |\n|---|---|\n| `x \\| y` | z\\|", "Cost | is\n\nTo · Is\nx | y · z|"),
        (r"| a | b \|", "| a | b |"),
        ("a|b\r-|-\rc|d\r\rMon | Tue", "a · b\nc · d\n\nMon | Tue"),
        ("> - a | b\n>\n> | To |\n> |---|\n> | here |", "- a | b\n\nTo\nhere"),
        ("Do:\n\n```sh\nif a | b\n    then **c**\n```\n\nDone.", "Do:\n\nif a | b\n    then **c**\n\nDone."),
        ("    a | b\n      c", "    a | b\n      c"),
        ("1. Do:\n\n   ```\n   a:\n     - b\n   ```", "1. Do:\n\n   a:\n     - b"),
        ("```\na\n  b", "a\n  b"),
        ("> ```\n> a | b\n> ```\n\nDone.", "> a | b\n\nDone."),
        ("```\n```", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_only_tables_have_rows_and_code_stays_as_it_is(markdown: str, text: str) -> None:
    assert for_terminal(markdown) == text
