"""Find the system's browser, since Playwright's own is not in the package index."""

import os
import shutil
from typing import Any

# The headless shell first: the same engine without windows, at a third of the cost.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def launch_options() -> dict[str, Any]:
    """Return the options of Playwright's `launch`. Raises SystemExit with a message if there is no browser."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not program:
        raise SystemExit("Chromium is missing: install the package chromium, or name a browser in CHROMIUM.")
    # Chromium's sandbox does not work for root.
    return {"executable_path": program, "args": ["--no-sandbox"] if os.geteuid() == 0 else []}
