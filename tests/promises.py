"""Tests that some machines cannot run."""

import os
from typing import NoReturn

import pytest


def give_up(reason: str, *, promise: str) -> NoReturn:
    """Skip a test; fail if this variable says that the machine can run it. `.ci/run` sets it if so, since a run without
    the test would be green.
    """
    (pytest.fail if os.environ.get(promise) == "true" else pytest.skip)(reason)
