"""Templates are read in diffs, so lines that djangofmt cannot wrap are kept short here."""

import re
from pathlib import Path

import pytest
from django.conf import settings

MAX_CHARACTERS = 160
BROKEN_TAG = re.compile(r"\{\{[^}]*\n[^}]*\}\}|\{%[^%]*\n[^%]*%\}|\{#[^#]*\n[^#]*#\}")
ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(page for folder in ("templates", "examples") for page in (ROOT / folder).glob("**/*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda page: str(page.relative_to(ROOT)))
def test_template_lines_are_short(template: Path) -> None:
    long = [
        number for number, line in enumerate(template.read_text().splitlines(), start=1) if len(line) > MAX_CHARACTERS
    ]
    assert not long, f"Break these lines of {template.relative_to(ROOT)}: {long}"


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_tag_spans_lines(template: Path) -> None:
    """Django renders such a tag as text."""
    broken = BROKEN_TAG.findall(template.read_text())
    assert not broken, f"Write these tags of {template.relative_to(ROOT)} on one line: {broken}"
