"""Stored facts about the decorations of sites, so that they are not decoded each time."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kb", "0024_categories_of_articles")]

    operations = [
        migrations.AddField("sourcepicture", "file_digest", models.CharField(max_length=40, default="", db_default="")),
        migrations.AddField("sourcepicture", "is_small", models.BooleanField(default=False, db_default=False)),
    ]
