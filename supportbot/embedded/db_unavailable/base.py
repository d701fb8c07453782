"""The database backend used if no database is configured. Its first use raises an error that says how to fix this."""

from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.dummy import base

from supportbot.installation.running_instance import NOT_RUNNING


def raise_unavailable(*args: Any, **kwargs: Any) -> NoReturn:  # Any: it replaces methods of every signature
    raise ImproperlyConfigured(NOT_RUNNING)


class DatabaseOperations(base.DatabaseOperations):
    quote_name = raise_unavailable


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    _cursor = raise_unavailable
    ensure_connection = raise_unavailable
    _commit = raise_unavailable
    _rollback = raise_unavailable
    _savepoint = raise_unavailable
    _savepoint_commit = raise_unavailable
