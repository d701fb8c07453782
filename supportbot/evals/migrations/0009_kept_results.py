from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0008_check_states")]

    operations = [
        migrations.AddField(model_name="run", name="keeps_from", field=models.UUIDField(null=True)),
        migrations.AddField(
            model_name="run", name="kept", field=models.PositiveIntegerField(db_default=0, default=0)
        ),
    ]
