"""Fixtures for all tests."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.utils import translation
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django.fixtures import Settings
from pytest_django.plugin import DjangoDbBlocker

from supportbot import async_db
from supportbot.accounts.models import Customer, Membership, User, Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.observing.broker_outages import broker_trouble, layer_trouble
from supportbot.observing.database_connection_failures import forget_failure
from supportbot.observing.database_errors import trouble
from supportbot.server_urls import cache_at
from tests.connections import leave_connection, pass_connections_on
from tests.emptying import check_constraints_once, empty_quickly
from tests.locks import refuse_locks_outside_transactions
from tests.log_lines import log_lines
from tests.logins import log_in_quickly
from tests.migrated import create_database, migrated_dump
from tests.patience import PATIENCE_SECONDS
from tests.pseudo import pseudo_language
from tests.reader import fork_readers, new_reader

__all__ = ["log_lines", "new_reader", "pseudo_language"]  # fixtures
check_constraints_once()
empty_quickly()
pass_connections_on()
refuse_locks_outside_transactions()
fork_readers()
log_in_quickly()
settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # the real one is slow by design
# Without a pool, each hop to a thread would open a new connection.
settings.DATABASES["default"]["CONN_MAX_AGE"] = None
# Each test's client builds the middleware again, which would read all static files to serve at most one.
settings.WHITENOISE_AUTOREFRESH = True

# A busy machine is slow. The profile that Hypothesis takes in CI says the same, and does not vary its examples.
hypothesis_settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
if hypothesis_settings.get_current_profile_name() != "ci":
    hypothesis_settings.load_profile("patient")

EXECUTORS = (async_db._executor, async_db._outside_executor)
_used: set[ThreadPoolExecutor] = set()  # for the current test


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: DjangoDbBlocker,
    django_db_modify_db_settings: None,
) -> None:
    """Replace pytest-django's own fixture, which migrates in each worker."""
    with django_db_blocker.unblock():
        create_database(request.config.cache.mkdir("schema"))


@pytest.fixture(scope="session")
def migrated_schema(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Path:
    """A dump of the migrated schema, so that servers started by a test need not migrate."""
    with django_db_blocker.unblock(), ThreadPoolExecutor(1) as pool:  # Playwright's event loop runs in this thread
        return pool.submit(migrated_dump, request.config.cache.mkdir("schema")).result()


@pytest.fixture(autouse=True)
def nothing_left_over(_django_db_marker: None) -> Iterator[None]:
    """Let a test leave nothing to the next one, in one fixture, since each fixture costs every test a tenth of a
    millisecond.

    It is set up after the test's database and therefore torn down before it, once all work that a test left to database
    threads is done. A record that is still being written would lock tables that the end of a transactional test
    empties.
    """
    for one in (trouble, layer_trouble, broker_trouble):  # a process logs only one line about each outage
        one.forget()
    forget_failure()  # another test may have failed to open a connection
    yield
    translation.deactivate()  # the language that a page has activated
    for executor in EXECUTORS:
        if executor in _used:
            rest(executor)


def note_use(executor: ThreadPoolExecutor) -> None:
    submit = executor.submit

    def noted(*args: Any, **more: Any) -> Any:
        _used.add(executor)
        return submit(*args, **more)

    executor.submit = noted  # type: ignore[method-assign]  # on this object only


def rest(executor: ThreadPoolExecutor) -> None:
    """Return once every thread of the executor has finished its work and left its connection to the next test."""
    everyone = len(executor._threads)
    meeting = threading.Barrier(everyone)

    def meet() -> None:
        leave_connection()
        meeting.wait(timeout=PATIENCE_SECONDS)

    for done in [executor.submit(meet) for _ in range(everyone)]:
        done.result()
    _used.discard(executor)


@pytest.fixture
def workspace(db: None) -> Iterator[Workspace]:
    """The workspace Wrenfell, in whose scope the test runs."""
    row = Workspace.objects.create(name="Wrenfell Outdoor", slug="wrenfell")
    with workspace_scope(row.pk):
        yield row


@pytest.fixture
def other_workspace(db: None) -> Workspace:
    found: Workspace = Workspace.objects.create(name="Another Brand", slug="another")
    return found


@pytest.fixture
def alice(workspace: Workspace) -> Customer:
    """A signed-in customer."""
    return Customer.objects.create(external_id="cus_alice", name="Alice", email="alice@example.com", locale="en")


@pytest.fixture
def bob(workspace: Workspace) -> User:
    """An agent of the workspace."""
    user = User.objects.create_user("bob", first_name="Bob", password="correct horse battery")
    Membership.objects.create(workspace=workspace, user=user, role=Membership.Role.AGENT)
    return user


@pytest.fixture
def cache_away(settings: Settings, unused_port: int) -> None:
    """Use a Valkey that is not running as the cache."""
    settings.CACHES = {"default": cache_at(f"redis://127.0.0.1:{unused_port}/2")}


@pytest.fixture
def mallory(other_workspace: Workspace) -> User:
    """An admin of another workspace, who is a stranger in this one."""
    user = User.objects.create_user("mallory", password="correct horse battery")
    Membership.objects.create(workspace=other_workspace, user=user, role=Membership.Role.ADMIN)
    return user


for each in EXECUTORS:
    note_use(each)
