"""The call that an attempt of a replay-safe action sent, stored to send exactly the same call again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0007_subjects_are_terms")]

    operations = [migrations.AddField("attempt", "command", models.JSONField(null=True))]
