"""The places that articles are read from: sources, their runs, items and uploaded files."""

import django.db.models.deletion
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0005_user_language'),
        ('kb', '0007_pages'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Source',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('kind', models.CharField(max_length=20)),
                ('address', models.CharField(blank=True, max_length=2000)),
                ('audience', models.CharField(blank=True, max_length=10)),
                ('publishes', models.BooleanField(default=True)),
                ('config', models.JSONField(blank=True, default=dict)),
                ('memory', models.JSONField(blank=True, default=dict)),
                ('delay_seconds', models.FloatField(default=1.0)),
                ('allows_private', models.BooleanField(default=False)),
                ('schedule', models.CharField(choices=[('never', 'Only on request'), ('hourly', 'Every hour'), ('daily', 'Every day'), ('weekly', 'Every week')], default='never', max_length=10)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('collection', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.RESTRICT, related_name='sources', to='kb.collection')),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'ordering': ['name', 'id'],
            },
        ),
        migrations.CreateModel(
            name='SourceRun',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('mode', models.CharField(choices=[('sync', 'Sync'), ('check', 'Check'), ('retry', 'Retry')], default='sync', max_length=10)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('running', 'Running'), ('unconfirmed', 'Unconfirmed'), ('done', 'Done'), ('failed', 'Failed'), ('cancelled', 'Cancelled')], default='queued', max_length=12)),
                ('reason', models.TextField(blank=True)),
                ('counts', models.JSONField(blank=True, default=dict)),
                ('is_listed', models.BooleanField(default=False)),
                ('lease_until', models.DateTimeField(blank=True, null=True)),
                ('due_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('asked_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('source', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='kb.source')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'ordering': ['-id'],
            },
        ),
        migrations.CreateModel(
            name='SourceItem',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=2000)),
                ('depth', models.PositiveSmallIntegerField(default=0)),
                ('state', models.CharField(choices=[('queued', 'Queued'), ('reading', 'Reading'), ('cutting', 'Splitting'), ('embedding', 'Embedding'), ('ready', 'Ready'), ('unchanged', 'Unchanged'), ('failed', 'Failed'), ('gone', 'Gone'), ('left_out', 'Skipped')], default='queued', max_length=10)),
                ('outcome', models.CharField(blank=True, choices=[('new', 'New'), ('changed', 'Changed'), ('unchanged', 'Unchanged'), ('gone', 'Gone'), ('broken', 'Failed to read'), ('left_out', 'Skipped')], max_length=10)),
                ('reason', models.TextField(blank=True)),
                ('title', models.CharField(blank=True, max_length=300)),
                ('tries', models.PositiveSmallIntegerField(default=0)),
                ('etag', models.CharField(blank=True, max_length=300)),
                ('last_modified', models.CharField(blank=True, max_length=100)),
                ('content_hash', models.CharField(blank=True, max_length=80)),
                ('text_hash', models.CharField(blank=True, max_length=64)),
                ('imported_at', models.DateTimeField(blank=True, null=True)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('source', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='items', to='kb.source')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
                ('run', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='items', to='kb.sourcerun')),
            ],
            options={
                'ordering': ['depth', 'id'],
            },
        ),
        migrations.CreateModel(
            name='SourceFile',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('path', models.CharField(max_length=400)),
                ('content', models.BinaryField()),
                ('size', models.PositiveIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('source', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='files', to='kb.source')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'ordering': ['path'],
            },
        ),
        migrations.AddField(
            model_name='article',
            name='origin',
            field=models.CharField(blank=True, db_default='', default='', max_length=2000),
        ),
        migrations.AddField(
            model_name='article',
            name='source_item',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='articles', to='kb.sourceitem'),
        ),
        migrations.AddIndex(
            model_name='source',
            index=models.Index(condition=models.Q(('due_at__isnull', False)), fields=['due_at'], name='kb_source_due'),
        ),
        migrations.AddConstraint(
            model_name='source',
            constraint=models.UniqueConstraint(fields=('id', 'workspace'), name='kb_source_id_workspace'),
        ),
        migrations.AddConstraint(
            model_name='source',
            constraint=models.CheckConstraint(condition=models.Q(('schedule__in', ['never', 'hourly', 'daily', 'weekly'])), name='kb_source_schedule_known'),
        ),
        migrations.AddConstraint(
            model_name='sourcefile',
            constraint=models.UniqueConstraint(fields=('source', 'path'), name='kb_sourcefile_path_once'),
        ),
        migrations.AddIndex(
            model_name='sourcerun',
            index=models.Index(condition=models.Q(('state__in', ['queued', 'running'])), fields=['state'], name='kb_sourcerun_under_way'),
        ),
        migrations.AddConstraint(
            model_name='sourcerun',
            constraint=models.UniqueConstraint(fields=('id', 'workspace'), name='kb_sourcerun_id_workspace'),
        ),
        migrations.AddConstraint(
            model_name='sourcerun',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['queued', 'running', 'unconfirmed'])), fields=('source',), name='kb_sourcerun_one_open'),
        ),
        migrations.AddConstraint(
            model_name='sourcerun',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['queued', 'running', 'unconfirmed', 'done', 'failed', 'cancelled'])), name='kb_sourcerun_state_known'),
        ),
        migrations.AddIndex(
            model_name='sourceitem',
            index=models.Index(fields=['run', 'state', 'depth', 'id'], name='kb_sourceitem_next'),
        ),
        migrations.AddIndex(
            model_name='sourceitem',
            index=models.Index(fields=['source', 'text_hash'], name='kb_sourceitem_text'),
        ),
        migrations.AddConstraint(
            model_name='sourceitem',
            constraint=models.UniqueConstraint(fields=('id', 'workspace'), name='kb_sourceitem_id_workspace'),
        ),
        migrations.AddConstraint(
            model_name='sourceitem',
            constraint=models.UniqueConstraint(fields=('source', 'key'), name='kb_sourceitem_key_once'),
        ),
        migrations.AddConstraint(
            model_name='article',
            constraint=supportbot.accounts.constraints.SameWorkspace('source_item', name='kb_article_item_same_workspace'),
        ),
        migrations.AddConstraint(
            model_name='source',
            constraint=supportbot.accounts.constraints.SameWorkspace('collection', name='kb_source_same_workspace'),
        ),
        migrations.AddConstraint(
            model_name='sourcefile',
            constraint=supportbot.accounts.constraints.SameWorkspace('source', name='kb_sourcefile_same_workspace'),
        ),
        migrations.AddConstraint(
            model_name='sourcerun',
            constraint=supportbot.accounts.constraints.SameWorkspace('source', name='kb_sourcerun_same_workspace'),
        ),
        migrations.AddConstraint(
            model_name='sourceitem',
            constraint=supportbot.accounts.constraints.SameWorkspace('source', name='kb_sourceitem_same_workspace'),
        ),
    ]
