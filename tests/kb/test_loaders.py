"""Loaders are fast and their output is bounded, whatever the text."""

from pathlib import Path

import pytest

from kb.importing.loaders.html import MAX_NESTED_MARKS, markdown_of_html
from kb.importing.loaders.markdown import first_heading
from kb.models import Article
from supportbot.accounts.models import Workspace
from tests.kb.import_command import failures, run
from tests.pace import bounded

pytestmark = pytest.mark.django_db


@pytest.mark.one_in(3)
@pytest.mark.parametrize(
    "body",
    [
        "# " + " " * 500_000, "# a" + " " * 500_000 + "b", "# a" + " #" * 200_000, "# a" + " {#" * 200_000,
        "# a" + "\t" * 500_000 + "{#x}", pytest.param("# \n" * 100_000, marks=pytest.mark.long), "#\t" * 200_000,
    ],
)  # fmt: skip
def test_a_hostile_heading_is_read_quickly(body: str) -> None:
    with bounded(20):  # a pattern that backtracks takes minutes here
        first_heading(body)


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("# Delivery", "Delivery"), ("Words\n\n  ##  Delivery *times* ##  \n", "Delivery times"), ("#no heading", ""),
        ("# Delivery {#top}", "Delivery"), ("# Delivery {#top} now", "Delivery {#top} now"), ("#  \n# Next", "Next"),
        ("# A {#b{c}", "A {#b{c}"), ("# " + "x" * 400, "x" * 300),
    ],
)  # fmt: skip
def test_the_first_heading_becomes_the_title(body: str, title: str) -> None:
    assert first_heading(body) == title


@pytest.mark.one_in(3)
@pytest.mark.parametrize("wrapper", [("<ul><li>", "</li></ul>"), ("<blockquote>", "</blockquote>"), ("<dl><dd>", "")])
def test_nested_lists_do_not_multiply_the_text(wrapper: tuple[str, str]) -> None:
    opening, closing = wrapper
    page = f"{opening * 100}{'a<br>' * 30_000}{closing * 100}"
    with bounded(40):
        _, body = markdown_of_html(page)
    assert len(body) < 30_000 * (2 + 4 * MAX_NESTED_MARKS)
    assert body.count("a") == 30_000


def test_a_page_that_grows_too_large_is_one_failure(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kb.importing.loaders.html.MAX_CHARACTERS", 20_000)
    (tmp_path / "grown.html").write_text("<ul><li>" * 20 + "a<br>" * 7_000)
    assert "Split it" in failures(run(tmp_path))["grown.html"]
    assert not Article.objects.exists()
