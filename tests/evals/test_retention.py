"""How long evaluations are kept; runs and checks of published articles are tested with these."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.utils.timezone import now

from supportbot.accounts.models import Workspace
from supportbot.evals import tasks
from supportbot.evals.models import DraftCheck, Replay
from supportbot.evals.retention import DRAFT_CHECKS_KEPT_FOR, REPLAYS_KEPT_FOR

pytestmark = pytest.mark.django_db


def test_checks_of_drafts_and_replays_are_deleted_because_they_contain_customers_questions(
    workspace: Workspace,
) -> None:
    def replay() -> Replay:
        return Replay.objects.create(
            release_id=uuid4(), release_number=2, release_digest="-", live_id=uuid4(), live_number=1, days=7, most=10
        )

    old_check, check, old_replay, young = DraftCheck.objects.create(), DraftCheck.objects.create(), replay(), replay()
    day = timedelta(days=1)
    DraftCheck.objects.filter(pk=old_check.pk).update(created_at=now() - DRAFT_CHECKS_KEPT_FOR - day)
    DraftCheck.objects.filter(pk=check.pk).update(created_at=now() - DRAFT_CHECKS_KEPT_FOR + day)
    Replay.objects.filter(pk=old_replay.pk).update(created_at=now() - REPLAYS_KEPT_FOR - day)
    Replay.objects.filter(pk=young.pk).update(created_at=now() - REPLAYS_KEPT_FOR + day)
    tasks.purge()
    assert list(DraftCheck.objects.all()) == [check] and list(Replay.objects.all()) == [young]
