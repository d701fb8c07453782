import django.db.models.deletion
import django.utils.timezone
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_workspace_retention'),
        ('evals', '0001_evaluations'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='Label',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('verdict', models.CharField(choices=[('pass', 'Pass'), ('fail', 'Fail'), ('unsure', 'Unsure')], max_length=6)),
                ('note', models.CharField(blank=True, max_length=500)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('person', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('result', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='labels', to='evals.result')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
        ),
        migrations.AddField(
            model_name='result',
            name='judged_by',
            field=models.CharField(blank=True, db_default='', default='', max_length=200),
        ),
        migrations.AddField(
            model_name='result',
            name='judged_good',
            field=models.BooleanField(null=True),
        ),
        migrations.AddConstraint(
            model_name='label',
            constraint=models.UniqueConstraint(fields=('result', 'person'), name='evaluation_label_once'),
        ),
        migrations.AddConstraint(
            model_name='label',
            constraint=models.CheckConstraint(condition=models.Q(('verdict__in', ['pass', 'fail', 'unsure'])), name='evaluation_label_verdict'),
        ),
        migrations.AddConstraint(
            model_name='label',
            constraint=supportbot.accounts.constraints.SameWorkspace('result', name='evaluation_label_workspace'),
        ),
    ]
