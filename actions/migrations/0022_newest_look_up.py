"""Whether the newest look-up said that the system is still working on a call, so that nobody settles it as not done."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0021_calls_in_progress")]

    operations = [
        migrations.AddField("attempt", "is_in_progress", models.BooleanField(default=False, db_default=False)),
    ]
