"""Changeable addresses of help pages, with their former ones, and translations."""

import django.db.models.deletion
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_workspace_retention'),
        ('kb', '0014_curated'),
    ]

    operations = [
        migrations.AddField(
            model_name='article',
            name='slug',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AddField(
            model_name='article',
            name='translated_revision',
            field=models.PositiveIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name='article',
            name='translation_of',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='translations', to='kb.article'),
        ),
        migrations.AddConstraint(
            model_name='article',
            constraint=models.UniqueConstraint(condition=models.Q(('slug', ''), _negated=True), fields=('workspace', 'slug'), name='kb_article_slug_once'),
        ),
        migrations.AddConstraint(
            model_name='article',
            constraint=supportbot.accounts.constraints.SameWorkspace('translation_of', name='kb_article_source_same_workspace'),
        ),
        migrations.CreateModel(
            name='OldAddress',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=200)),
                ('article', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='kb.article')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'name'), name='kb_oldaddress_once'), supportbot.accounts.constraints.SameWorkspace('article', name='kb_oldaddress_same_workspace')],
            },
        ),
    ]
