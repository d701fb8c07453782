from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0017_seen_verdicts")]

    operations = [migrations.AddField("result", "original", models.UUIDField(null=True))]
