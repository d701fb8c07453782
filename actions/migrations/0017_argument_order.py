"""The order in which a definition's arguments were entered, since jsonb keeps keys in an order of its own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0016_undone_once")]

    operations = [
        migrations.AddField(
            "actiondefinitionversion", "argument_order", models.TextField(blank=True, db_default="", default=""),
        ),
    ]  # fmt: skip
