"""Categories as rows, and how often articles are read."""

import django.contrib.postgres.fields
import django.db.models.deletion
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_workspace_retention'),
        ('kb', '0022_pictures_of_sites'),
    ]

    operations = [
        migrations.CreateModel(
            name='ArticleReads',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('day', models.DateField()),
                ('count', models.PositiveIntegerField(default=0)),
                ('article', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='kb.article')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['workspace', 'day'], name='kb_articlereads_day')],
                'constraints': [models.UniqueConstraint(fields=('article', 'day'), name='kb_articlereads_once'), supportbot.accounts.constraints.SameWorkspace('article', name='kb_articlereads_same_workspace')],
            },
        ),
        migrations.CreateModel(
            name='Category',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('former_names', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=120), blank=True, default=list, size=None)),
                ('description', models.CharField(blank=True, max_length=200)),
                ('icon', models.CharField(blank=True, max_length=20)),
                ('position', models.PositiveIntegerField(blank=True, null=True)),
                ('translations', models.JSONField(blank=True, default=dict)),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'ordering': [models.OrderBy(models.F('position'), nulls_last=True), 'name', 'id'],
                'constraints': [models.UniqueConstraint(fields=('workspace', 'name'), name='kb_category_name_once')],
            },
        ),
    ]
