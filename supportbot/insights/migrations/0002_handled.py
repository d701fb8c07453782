import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import supportbot.accounts.scope
import supportbot.ids


class Migration(migrations.Migration):
    dependencies = [
        ("insights", "0001_daily_sums"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Handled",
            fields=[
                (
                    "id",
                    models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False),
                ),
                ("kind", models.CharField(max_length=16)),
                ("subject", models.UUIDField()),
                (
                    "outcome",
                    models.CharField(choices=[("published", "Published"), ("dismissed", "Dismissed")], max_length=10),
                ),
                ("reason", models.CharField(blank=True, max_length=300)),
                ("article_id", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                (
                    "person",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
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
            options={
                "verbose_name_plural": "handled findings",
                "constraints": [
                    models.UniqueConstraint(fields=("workspace", "kind", "subject"), name="handled_once")
                ],
            },
        ),
    ]
