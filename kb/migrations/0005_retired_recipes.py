"""The time when a recipe was retired. Its rows are kept a little longer, for searches that have begun."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kb", "0004_closer_vector_index")]

    operations = [
        migrations.AddField("recipe", "retired_at", models.DateTimeField(blank=True, null=True)),
    ]
