"""Stored facts about the pictures on sites, which are fetched again only if they have changed."""

import django.db.models.deletion
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_workspace_retention'),
        ('kb', '0021_picture_formats'),
    ]

    operations = [
        migrations.CreateModel(
            name='SourcePicture',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('url', models.CharField(max_length=2000)),
                ('etag', models.CharField(blank=True, max_length=300)),
                ('last_modified', models.CharField(blank=True, max_length=100)),
                ('digest', models.CharField(max_length=40)),
                ('source', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='pictures', to='kb.source')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('source', 'url'), name='kb_sourcepicture_url_once'), supportbot.accounts.constraints.SameWorkspace('source', name='kb_sourcepicture_same_workspace')],
            },
        ),
    ]
