"""Limits how often people can press a button that calls another system.

Each call may occupy a thread of the web process for seconds.
"""

from typing import Final
from uuid import UUID

from django.utils.translation import gettext_noop

from supportbot.errors import SupportBotError
from supportbot.rate_counters import count

TESTS_PER_MINUTE: Final = 20  # per workspace, for all kinds of tests together


class TooManyTests(SupportBotError):
    code = "too_many_tests"
    status = 429
    default_message = gettext_noop("A workspace can run 20 tests a minute. Wait a moment and try again.")


def count_test(workspace_id: UUID) -> None:
    """Count another test by a workspace. Raises TooManyTests."""
    if count(f"outbound-tests:{workspace_id}", seconds=60) > TESTS_PER_MINUTE:
        raise TooManyTests()
