import django.contrib.postgres.indexes
import django.contrib.postgres.search
import django.db.models.deletion
import pgvector.django
import pgvector.django.halfvec
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('accounts', '0001_initial'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        # This extension is not trusted: in an external database, its administrator must install it first.
        pgvector.django.VectorExtension(),
        migrations.CreateModel(
            name='Collection',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('slug', models.SlugField(allow_unicode=True, max_length=80)),
                ('name', models.CharField(max_length=120)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'ordering': ['name', 'id'],
                'constraints': [
                    models.UniqueConstraint(fields=('id', 'workspace'), name='kb_collection_id_workspace'),
                    models.UniqueConstraint(fields=('workspace', 'slug'), name='kb_collection_slug_once'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Article',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('external_id', models.CharField(max_length=400)),
                ('locale', models.CharField(max_length=20)),
                ('audience', models.CharField(choices=[('public', 'Everyone'), ('signed_in', 'Signed-in customers'), ('internal', 'The team only')], default='public', max_length=10)),
                ('category', models.CharField(blank=True, max_length=120)),
                ('url', models.CharField(blank=True, max_length=2000)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('live', 'Live'), ('archived', 'Archived')], default='draft', max_length=10)),
                ('indexed_revision', models.PositiveIntegerField(blank=True, null=True)),
                ('published_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
                ('collection', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.RESTRICT, related_name='articles', to='kb.collection')),
            ],
            options={
                'ordering': ['external_id'],
                'constraints': [
                    models.UniqueConstraint(fields=('id', 'workspace'), name='kb_article_id_workspace'),
                    models.UniqueConstraint(fields=('workspace', 'external_id'), name='kb_article_external_id_once'),
                    models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'live', 'archived'])), name='kb_article_state_known'),
                    models.CheckConstraint(condition=models.Q(('audience__in', ['public', 'signed_in', 'internal'])), name='kb_article_audience_known'),
                    supportbot.accounts.constraints.SameWorkspace('collection', name='kb_article_same_workspace'),
                ],
                'indexes': [
                    models.Index(fields=['workspace', 'state', 'audience'], name='kb_article_readable'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Recipe',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=200, unique=True)),
                ('model', models.CharField(max_length=200)),
                ('dimensions', models.PositiveIntegerField()),
                ('normalised', models.BooleanField(default=True)),
                ('query_prefix', models.CharField(blank=True, max_length=100)),
                ('passage_prefix', models.CharField(blank=True, max_length=100)),
                ('is_active', models.BooleanField(default=False)),
                ('calibration', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(condition=models.Q(('is_active', True)), fields=('is_active',), name='kb_recipe_one_active')],
            },
        ),
        migrations.CreateModel(
            name='Chunk',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('revision_number', models.PositiveIntegerField()),
                ('position', models.PositiveIntegerField()),
                ('heading_path', models.TextField(blank=True)),
                ('text', models.TextField()),
                ('start', models.PositiveIntegerField()),
                ('end', models.PositiveIntegerField()),
                ('content_hash', models.CharField(max_length=64)),
                ('embedding', pgvector.django.halfvec.HalfVectorField(blank=True, null=True)),
                ('search_vector', django.contrib.postgres.search.SearchVectorField(blank=True, null=True)),
                ('article', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='kb.article')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
                ('recipe', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='chunks', to='kb.recipe')),
            ],
            options={
                'ordering': ['article', 'position'],
                'constraints': [
                    models.UniqueConstraint(fields=('article', 'recipe', 'position'), name='kb_chunk_position_once'),
                    models.CheckConstraint(condition=models.Q(('end__gt', models.F('start'))), name='kb_chunk_not_empty'),
                    supportbot.accounts.constraints.SameWorkspace('article', name='kb_chunk_same_workspace'),
                ],
                'indexes': [
                    django.contrib.postgres.indexes.GinIndex(fields=['search_vector'], name='kb_chunk_search_vector'),
                    models.Index(condition=models.Q(('embedding__isnull', True)), fields=['article'], name='kb_chunk_without_vector'),
                ],
            },
        ),
        migrations.CreateModel(
            name='Revision',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('title', models.CharField(max_length=300)),
                ('body', models.TextField()),
                ('body_hash', models.CharField(max_length=64)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('article', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='kb.article')),
                ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'ordering': ['article', 'number'],
                'constraints': [
                    models.UniqueConstraint(fields=('article', 'number'), name='kb_revision_number_once'),
                    models.UniqueConstraint(fields=('id', 'article'), name='kb_revision_id_article'),
                    models.CheckConstraint(condition=models.Q(('number__gte', 1)), name='kb_revision_counts_from_one'),
                    supportbot.accounts.constraints.SameWorkspace('article', name='kb_revision_same_workspace'),
                ],
            },
        ),
        migrations.AddField(
            model_name='article',
            name='latest_revision',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='kb.revision'),
        ),
        migrations.AddField(
            model_name='article',
            name='live_revision',
            field=models.ForeignKey(blank=True, db_constraint=False, null=True, on_delete=django.db.models.deletion.RESTRICT, related_name='+', to='kb.revision'),
        ),
        migrations.AddConstraint(
            model_name='article',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state', 'live'), _negated=True), ('live_revision__isnull', False), _connector='OR'), name='kb_article_live_has_revision'),
        ),
    ]
