from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0006_check_attempts")]

    operations = [
        migrations.AddField(
            model_name="run",
            name="references_digest",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
    ]
