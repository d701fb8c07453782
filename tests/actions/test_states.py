"""The trigger and the CHECK in the database match the table in `states`."""

import pytest
from django.db import connection

from actions.states import FINAL, State, may_become, trigger_function_sql

pytestmark = pytest.mark.django_db


def test_the_database_has_the_generated_trigger() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT prosrc FROM pg_proc WHERE proname = 'actions_request_guard'")
        (stored,) = cursor.fetchone()
    assert stored.strip() == trigger_function_sql().split("$$")[1].strip()


def test_final_states_are_final() -> None:
    assert {
        State.REFUSED, State.SUCCEEDED, State.FAILED, State.CANCELLED, State.REJECTED, State.EXPIRED,
    } == FINAL  # fmt: skip
    assert not any(may_become(final, State(other)) for final in FINAL for other in State)
