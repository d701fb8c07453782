"""Remember which revisions were ever live."""

import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kb", "0002_rules")]

    operations = [
        migrations.AddField(
            model_name="article",
            name="published_revisions",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.PositiveIntegerField(), blank=True, default=list, size=None
            ),
        ),
    ]
