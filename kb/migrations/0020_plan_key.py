from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("kb", "0019_plans_of_programs")]

    operations = [migrations.AddField("plan", "key_id", models.UUIDField(null=True))]
