from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0015_changes_together")]

    operations = [migrations.AddField("articlecheck", "taken_at", models.DateTimeField(null=True))]
