"""An index for counting the last day's requests by state, which `/metrics` shows."""

from django.db import migrations, models

from supportbot.concurrent_indexes import AddBigIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("actions", "0018_requests_of_a_conversation")]

    operations = [AddBigIndex("actionrequest", models.Index(fields=["created_at"], name="action_request_by_time"))]
