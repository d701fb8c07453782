from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0013_played_time")]

    operations = [
        migrations.AddField(model_name="draftcheck", name="former", field=models.JSONField(null=True)),
    ]
