"""Pictures in two formats, and the file that each was made from."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('kb', '0020_plan_key'),
    ]

    operations = [
        # The column keeps its name: processes of the last release read it while this one starts.
        migrations.AlterField('picture', 'png', models.BinaryField(db_column='png')),
        migrations.RenameField('picture', 'png', 'content'),
        migrations.AddField('picture', 'file_digest', models.CharField(db_default='', default='', max_length=40)),
        migrations.AddField('picture', 'media_type', models.CharField(db_default='image/png', default='image/png', max_length=20)),
        migrations.AddIndex('picture', models.Index(fields=['workspace', 'file_digest'], name='kb_picture_file')),
    ]
