"""The database's clock. Times that several machines store or compare are read from it, since the machines' own clocks
may differ.
"""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the current time on the database's clock, which moves on even within a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    return moment
