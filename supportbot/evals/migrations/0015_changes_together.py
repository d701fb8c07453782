from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("evals", "0014_publication_comparisons")]

    operations = [
        migrations.AddField(
            model_name="articlecheck", name="asks_gates", field=models.BooleanField(default=True, db_default=True)
        ),
        migrations.AddField(model_name="articlecheck", name="comparison", field=models.UUIDField(null=True)),
        migrations.AlterField(model_name="draftcheck", name="article_id", field=models.UUIDField(null=True)),
        migrations.AlterField(model_name="draftcheck", name="revision", field=models.PositiveIntegerField(null=True)),
        migrations.AddField(model_name="draftcheck", name="articles", field=models.JSONField(null=True)),
        migrations.AddField(
            model_name="draftcheck", name="left_out", field=models.PositiveIntegerField(default=0, db_default=0)
        ),
        migrations.AddField(model_name="draftcheck", name="found", field=models.JSONField(null=True)),
        migrations.AddField(model_name="draftcheck", name="seen_at", field=models.DateTimeField(null=True)),
    ]
