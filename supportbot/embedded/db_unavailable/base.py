"""The database backend of settings without a database: the first use says how to get one."""

from typing import Any, NoReturn

from django.core.exceptions import ImproperlyConfigured
from django.db.backends.dummy import base

from supportbot.installation.runtime import NOTHING_RUNS


def complain(*args: Any, **kwargs: Any) -> NoReturn:  # Any: it stands in for methods of every signature
    raise ImproperlyConfigured(NOTHING_RUNS)


class DatabaseOperations(base.DatabaseOperations):
    quote_name = complain


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    _cursor = complain
    ensure_connection = complain
    _commit = complain
    _rollback = complain
    _savepoint = complain
    _savepoint_commit = complain
