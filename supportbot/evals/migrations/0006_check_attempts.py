import django.db.models.deletion
import supportbot.accounts.scope
import supportbot.ids
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_workspace_retention'),
        ('evals', '0005_draft_check_facts'),
    ]

    operations = [
        migrations.AddField(
            model_name='articlecheck',
            name='attempt',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='articlecheck',
            name='since',
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name='articlecheck',
            name='untried',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='draftcheck',
            name='attempt',
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name='draftcheck',
            name='tries',
            field=models.PositiveSmallIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name='ChangedArticle',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('article_id', models.UUIDField()),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'article_id'), name='changed_article_once')],
            },
        ),
    ]
