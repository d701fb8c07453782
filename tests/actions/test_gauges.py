"""The gauges of actions on `/metrics`."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils.timezone import now

from actions.models import ActionRequest
from actions.states import State
from supportbot.health.gauges import Gauges


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("state", "count"), [(State.UNKNOWN, 1), (State.AWAITING_APPROVAL, 1), (State.FAILED, 0)])
def test_a_request_counts_for_a_day_and_an_open_one_until_it_is_settled(
    queued: ActionRequest, state: State, count: int
) -> None:
    with connection.cursor() as cursor:
        # The trigger must not stop this test from changing the row.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            "UPDATE actions_actionrequest SET state = %s, created_at = %s", [str(state), now() - timedelta(days=2)]
        )
        cursor.execute("RESET session_replication_role")
    [metric] = [one for one in Gauges().collect() if one.name == "supportbot_actions"]
    assert {sample.labels["state"]: sample.value for sample in metric.samples} == ({str(state): count} if count else {})
