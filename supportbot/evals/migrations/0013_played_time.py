from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0012_replay_builds")]

    operations = [
        migrations.AddField(
            model_name="run", name="played_ms", field=models.PositiveBigIntegerField(db_default=0, default=0)
        ),
    ]
