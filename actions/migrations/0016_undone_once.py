"""A request is undone at most once. The index has its own migration, because the table may be large and in use."""

from django.db import migrations, models

from supportbot.concurrent_indexes import AddBigUniqueIndex

_UNDOING = ["awaiting_confirmation", "awaiting_approval", "queued", "executing", "unknown", "succeeded"]


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("actions", "0015_undo")]

    operations = [
        AddBigUniqueIndex(
            "actionrequest",
            models.UniqueConstraint(
                fields=["workspace", "undoes"],
                condition=models.Q(("state__in", _UNDOING), ("undoes__isnull", False)),
                name="action_request_undone_once",
            ),
        ),
    ]
