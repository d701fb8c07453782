from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('evals', '0004_draft_checks'),
    ]

    operations = [
        migrations.AddField(
            model_name='draftcheck',
            name='facts',
            field=models.JSONField(db_default={}, default=dict),
        ),
    ]
