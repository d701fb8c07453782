from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("chat", "0010_retention_runs")]

    operations = [
        migrations.AddField(
            model_name="retentionrun",
            name="visitors",
            field=models.PositiveIntegerField(db_default=0, default=0, help_text="Erased."),
        ),
        migrations.AlterField(
            model_name="retentionrun",
            name="remaining",
            field=models.PositiveIntegerField(
                help_text="Conversations, bodies and visitors for which there was no time."
            ),
        ),
    ]
