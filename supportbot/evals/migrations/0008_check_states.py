from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0007_run_references")]

    operations = [
        migrations.AddField("articlecheck", "former", models.JSONField(db_default={}, default=dict)),
        migrations.AddField("articlecheck", "seen", models.JSONField(db_default={}, default=dict)),
        migrations.AddField("articlecheck", "mended", models.JSONField(db_default=[], default=list)),
        migrations.AddField("changedarticle", "former", models.JSONField(null=True)),
    ]
