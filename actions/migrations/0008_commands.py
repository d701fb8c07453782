"""What an attempt of a replay-safe action sent, to send exactly the same again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0007_subjects_are_terms")]

    operations = [migrations.AddField("attempt", "command", models.JSONField(null=True))]
