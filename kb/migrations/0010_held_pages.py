"""Content that a dry run has fetched, kept for the run that publishes it."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('kb', '0009_helpfulness'),
    ]

    operations = [
        migrations.AddField(
            model_name='sourceitem',
            name='held',
            field=models.BinaryField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='sourceitem',
            name='held_facts',
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.AlterField(
            model_name='source',
            name='delay_seconds',
            field=models.FloatField(default=0.5),
        ),
    ]
