#!/usr/bin/env python
"""Run the management commands; a user's mistake ends in one sentence, never in a traceback."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.db import DatabaseError


def main() -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.db import DatabaseError

    try:
        # Its messages are translated, which reads the settings.
        from supportbot.commands import CommandLine
        from supportbot.errors import SupportBotError

        try:
            CommandLine(sys.argv).execute()
        except SupportBotError as problem:
            return refused(problem)
    except ImproperlyConfigured as problem:
        return refused(problem)
    except DatabaseError as failure:
        sentence = "" if "--traceback" in sys.argv else advice_on(failure)
        if not sentence:
            raise
        return refused(sentence)
    return 0


def advice_on(failure: "DatabaseError") -> str:
    """Return what an operator can do about it, with PostgreSQL's own words; "" if the fault may be ours."""
    from django.db import OperationalError

    from supportbot.observing.database_errors import is_of_rights, is_of_schema, own_words, remedy

    is_migrating = sys.argv[1:2] == ["migrate"]
    if is_of_schema(failure) and (is_migrating or not is_behind()):
        return ""
    hint = "" if is_migrating else remedy(failure)  # the remedy would be to migrate
    if not (hint or is_of_rights(failure) or isinstance(failure, OperationalError)):
        return ""
    return f"The database failed: {hint}{hint and '. PostgreSQL: '}{own_words(failure)}."


def is_behind() -> bool:
    from django.db import connection

    from supportbot.health.checks import outcomes

    connection.close()  # it may be inside the failed transaction
    return outcomes(["migrations"]) == {"migrations": "behind"}


def refused(problem: object) -> int:
    sys.stderr.write(f"Error: {problem}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
