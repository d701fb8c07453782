"""The order in which a definition's arguments were entered, since jsonb does not keep the order of keys."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0016_undone_once")]

    operations = [
        migrations.AddField(
            "actiondefinitionversion", "argument_order", models.TextField(blank=True, db_default="", default=""),
        ),
    ]  # fmt: skip
