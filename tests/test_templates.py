"""Templates of pages and mails are read in diffs, so lines that djangofmt cannot wrap are kept short here."""

import re
from pathlib import Path

from django.conf import settings

MAX_CHARACTERS = 160
BROKEN_TAG = re.compile(r"\{\{[^}]*\n[^}]*\}\}|\{%[^%]*\n[^%]*%\}|\{#[^#]*\n[^#]*#\}")
ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(
    page
    for folder in ("templates", "examples")
    for page in (ROOT / folder).glob("**/*")
    if page.suffix == ".html" or (page.suffix == ".txt" and "templates" in page.parts)
)


def test_template_lines_are_short() -> None:
    long = [
        f"{template.relative_to(ROOT)}:{number}"
        for template in TEMPLATES
        for number, line in enumerate(template.read_text().splitlines(), start=1)
        if len(line) > MAX_CHARACTERS
    ]
    assert TEMPLATES and not long, f"Break these lines: {long}"


def test_no_tag_spans_lines() -> None:
    """Django renders such a tag as text."""
    broken = [
        f"{template.relative_to(ROOT)}: {tag}"
        for template in TEMPLATES
        for tag in BROKEN_TAG.findall(template.read_text())
    ]
    assert not broken, f"Write these tags on one line: {broken}"
