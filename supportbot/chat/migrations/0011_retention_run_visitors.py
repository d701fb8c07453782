"""How many visitors each run of retention erased."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0010_retention_runs")]

    operations = [
        migrations.AddField(
            model_name="retentionrun",
            name="visitors",
            field=models.PositiveIntegerField(db_default=0, default=0, help_text="Erased."),
        ),
    ]
