import django.db.models.deletion
from django.db import migrations, models

import supportbot.accounts.scope
import supportbot.ids


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0001_initial"),
        ("handoff", "0001_handoff"),
    ]

    operations = [
        migrations.CreateModel(
            name="CannedReply",
            fields=[
                ("id", models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("title", models.CharField(max_length=80)),
                ("text", models.TextField(max_length=4000)),
                ("locale", models.CharField(blank=True, max_length=12)),
                ("workspace", models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to="accounts.workspace")),
            ],
            options={
                "verbose_name_plural": "canned replies",
                "ordering": ["title", "id"],
            },
        ),
        migrations.AddField(
            model_name="presence",
            name="is_away",
            field=models.BooleanField(default=False),
        ),
        migrations.AddConstraint(
            model_name="cannedreply",
            constraint=models.UniqueConstraint(fields=("workspace", "title"), name="canned_reply_title_once"),
        ),
        migrations.AddConstraint(
            model_name="cannedreply",
            constraint=models.CheckConstraint(
                condition=models.Q(models.Q(("title", ""), _negated=True), models.Q(("text", ""), _negated=True)),
                name="canned_reply_says_something",
            ),
        ),
        migrations.AddIndex(
            model_name="ticket",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "claimed", "snoozed"])),
                fields=["workspace", "state", "-priority", "waiting_since", "id"],
                name="ticket_queue",
            ),
        ),
    ]
