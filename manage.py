#!/usr/bin/env python
"""Runs the management commands; a user's mistake ends in one sentence, never in a traceback."""

import os
import sys


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError, OperationalError

    try:
        # Its messages are translated, which reads the settings.
        from supportbot.errors import SupportBotError

        try:
            execute_from_command_line(sys.argv)
        except SupportBotError as problem:
            return refused(problem)
    except ImproperlyConfigured as problem:
        return refused(problem)
    except DatabaseError as failure:
        from supportbot.observing.database_errors import remedy

        hint = remedy(failure)
        if "--traceback" in sys.argv or not (hint or isinstance(failure, OperationalError)):
            raise
        sys.stderr.write(f"Error: The database failed: {hint or str(failure).partition(chr(10))[0]}.\n")
        return 1
    return 0


def refused(problem: Exception) -> int:
    sys.stderr.write(f"Error: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
