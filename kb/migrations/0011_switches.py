"""Switches for the uses of a live article: on the help pages, and by the assistant."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('kb', '0010_held_pages'),
    ]

    operations = [
        migrations.AddField(
            model_name='article',
            name='on_help_pages',
            field=models.BooleanField(db_default=True, default=True),
        ),
        migrations.AddField(
            model_name='article',
            name='for_assistant',
            field=models.BooleanField(db_default=True, default=True),
        ),
    ]
