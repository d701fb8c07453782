from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('mcp', '0001_confirmation_links'),
    ]

    operations = [
        migrations.AddField(
            model_name='confirmationlink',
            name='key_id',
            field=models.UUIDField(editable=False, null=True),
        ),
    ]
