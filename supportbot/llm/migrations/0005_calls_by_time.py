"""An index that alone contains the cost of all workspaces since midnight, which `/metrics` shows."""

from django.db import migrations, models

from supportbot.concurrent_indexes import AddBigIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("llm", "0004_embedding_connections")]

    operations = [
        AddBigIndex(
            "llmcall", models.Index(fields=["started_at"], include=["currency", "cost"], name="llm_call_by_time")
        ),
    ]
