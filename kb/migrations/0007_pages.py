"""The page of a file on which a passage begins."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kb", "0006_writers")]

    operations = [
        migrations.AddField(
            model_name="chunk",
            name="page",
            field=models.PositiveSmallIntegerField(null=True),
        ),
    ]
