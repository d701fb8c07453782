from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_channel_look'),
    ]

    operations = [
        migrations.AddField(
            model_name='workspace',
            name='hides_personal_data',
            field=models.BooleanField(db_default=True, default=True),
        ),
    ]
