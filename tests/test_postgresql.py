"""The database backend: the limits of each connection, and the time spent waiting for one."""

import socket
from typing import Any, Final

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from prometheus_client import REGISTRY

from supportbot.server_urls import postgres_at

pytestmark = pytest.mark.django_db(transaction=True)
LIMITS: Final = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "jit")


def connect(most_connections: int = 0, options: str = "?connect_timeout=299", **changes: Any) -> BaseDatabaseWrapper:
    """Return a connection to the test's database, with the settings of an address; not yet open.

    It has its own time limit, so that it never reuses a connection that a thread has left.
    """
    other = connection.copy()
    asked = postgres_at(f"postgres://host/name{options}", most_connections=most_connections)
    other.settings_dict = {
        **connection.settings_dict, **changes, "OPTIONS": asked["OPTIONS"], "CONN_MAX_AGE": 0,
    }  # fmt: skip
    return other


@pytest.mark.parametrize("most_connections", [0, 2])
def test_a_single_role_has_limits_too(most_connections: int) -> None:
    assert settings.DATABASES["default"]["ENGINE"] == "supportbot.postgresql"
    other = connect(most_connections)
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT " + ", ".join(f"current_setting('{name}')" for name in LIMITS))
            assert cursor.fetchone() == ("2min", "1min", "2min", "off")
    finally:
        other.close()
        other.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL's backend


def test_the_operators_own_limits_have_precedence() -> None:
    other = connect(options="?options=-c%20statement_timeout%3D0%20-c%20jit%3Don")
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('jit')")
            assert cursor.fetchone() == ("0", "on")
    finally:
        other.close()


def waited() -> tuple[float, float]:
    """Return how often a connection was waited for, and for how many seconds."""
    found = [
        REGISTRY.get_sample_value(f"supportbot_db_pool_wait_seconds_{name}", {"wait": "connection"}) or 0.0
        for name in ("count", "sum")
    ]
    return found[0], found[1]


@pytest.mark.long
def test_the_wait_for_a_connection_from_the_pool_is_counted() -> None:
    one = connect(1)
    two = one.copy()
    try:
        one.ensure_connection()
        one.pool.timeout = 0.3  # type: ignore[attr-defined]  # of PostgreSQL's backend
        count, seconds = waited()
        with pytest.raises(OperationalError):
            two.ensure_connection()  # without success, which an operator must see
        assert waited()[0] == count + 1 and waited()[1] > seconds + 0.2
    finally:
        one.close()
        one.close_pool()  # type: ignore[attr-defined]  # of PostgreSQL's backend


@pytest.mark.long
def test_the_wait_for_a_server_that_is_silent_is_counted() -> None:
    _, seconds = waited()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        other = connect(options="?connect_timeout=2", HOST="127.0.0.1", PORT=silent.getsockname()[1])
        with pytest.raises(OperationalError):
            other.ensure_connection()
    assert waited()[1] > seconds + 1
