"""A real browser and one real instance for all journeys.

The tests are plain functions on the sync API; they read and write through pages only, never through the database.
"""

import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.embedded.instance import Instance, open_to_postgres

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """Use the system's browser: Playwright's own would come from outside the package index."""
    program = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    assert program, "Chromium is missing: install the package chromium, or name a browser in CHROMIUM."
    # Root has no user namespaces to build Chromium's sandbox with.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    return {**browser_type_launch_args, "executable_path": program, "args": arguments}


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    made = Instance(open_to_postgres(tmp_path_factory.mktemp("instance")) / "data")
    yield made
    made.end()


@pytest.fixture(scope="session")
def demo(instance: Instance) -> dict[str, Any]:
    """What `demo.json` says of the running instance."""
    return instance.start()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; an error of its scripts fails the test."""
    context = browser.new_context(locale="en-GB")
    fresh = context.new_page()
    problems: list[str] = []
    fresh.on("pageerror", lambda error: problems.append(str(error)))
    yield fresh
    context.close()
    assert problems == []
