"""Templates are read in diffs: what djangofmt cannot break is kept short here."""

from pathlib import Path

import pytest
from django.conf import settings

MOST_CHARACTERS = 160
ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted(page for folder in ("templates", "examples") for page in (ROOT / folder).glob("**/*.html"))


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_line_of_a_template_is_long(template: Path) -> None:
    long = [
        number for number, line in enumerate(template.read_text().splitlines(), start=1) if len(line) > MOST_CHARACTERS
    ]
    assert not long, f"Break these lines of {template.relative_to(ROOT)}: {long}"
