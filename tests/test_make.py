"""The targets of the Makefile."""

import re
import subprocess
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
MAKEFILE = (ROOT / "Makefile").read_text()
# Parts of other targets, not for people.
INNER = {"lint-and-browser-tests", "lint-in-one-piece", "touched-tests"}


def test_help_lists_every_target_on_a_line() -> None:
    listed = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    assert set(re.findall(r"^  make ([a-z-]+) +\S", listed, re.MULTILINE)) == targets - INNER
    assert listed.startswith("  make help ")
