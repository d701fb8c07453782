"""Stored facts about the files in a zip file: only those that have changed are read again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kb", "0025_decorations")]

    operations = [
        migrations.AddField("sourceitem", "entries", models.JSONField(default=dict, db_default={}, blank=True)),
    ]
