import django.contrib.postgres.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('kb', '0017_gated_runs'),
    ]

    operations = [
        migrations.AddField(
            model_name='article',
            name='former_phrasings',
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.CharField(max_length=300), blank=True, null=True, size=None
            ),
        ),
        migrations.AddField(
            model_name='article',
            name='phrasings_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
