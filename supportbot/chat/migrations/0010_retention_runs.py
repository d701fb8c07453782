"""The report of each run of retention."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import supportbot.accounts.scope
import supportbot.ids


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_workspace_legal_pages"), ("chat", "0009_conversation_locale")]

    operations = [
        migrations.CreateModel(
            name="RetentionRun",
            fields=[
                ("id", models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("ended_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("conversations", models.PositiveIntegerField(help_text="Erased.")),
                ("bodies", models.PositiveIntegerField(help_text="Erased.")),
                ("kept", models.PositiveIntegerField(help_text="Old conversations with open work.")),
                (
                    "remaining",
                    models.PositiveIntegerField(help_text="Old conversations for which there was no time."),
                ),
                (
                    "has_failed",
                    models.BooleanField(help_text="The run ended early; the figures count what was erased before."),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        default=supportbot.accounts.scope.current_workspace_id,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="accounts.workspace",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            "retentionrun", models.Index(fields=["workspace", "-ended_at"], name="retention_run_newest")
        ),
    ]
