from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('kb', '0018_former_phrasings'),
    ]

    operations = [
        migrations.AddField(
            model_name='plan',
            name='by_program',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
