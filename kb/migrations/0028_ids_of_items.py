"""What was left out of an item's content, and the ids of articles that it has lost or could not write."""

from django.contrib.postgres.fields import ArrayField
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kb", "0027_index_switches")]

    operations = [
        migrations.AddField("sourceitem", "notes", models.TextField(default="", db_default="", blank=True)),
        migrations.AddField(
            "sourceitem", "vanished", ArrayField(models.CharField(max_length=400), null=True, blank=True)
        ),
        migrations.AddField(
            "sourceitem", "refused", ArrayField(models.CharField(max_length=400), null=True, blank=True)
        ),
    ]
