"""Actions that are defined as documents: their versions, and the cases that must pass."""

import django.db.models.deletion
import django.utils.timezone
import supportbot.accounts.constraints
import supportbot.accounts.scope
import supportbot.ids
from django.db import migrations, models

STAYS = """
CREATE FUNCTION actions_definition_version_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.id IS DISTINCT FROM OLD.id OR NEW.workspace_id IS DISTINCT FROM OLD.workspace_id
            OR NEW.definition_id IS DISTINCT FROM OLD.definition_id OR NEW.number IS DISTINCT FROM OLD.number
            OR NEW.document IS DISTINCT FROM OLD.document OR NEW.created_by IS DISTINCT FROM OLD.created_by
            OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        RAISE EXCEPTION 'a version of a definition never changes' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF OLD.published_at IS NOT NULL AND (NEW.published_at IS DISTINCT FROM OLD.published_at
            OR NEW.published_by IS DISTINCT FROM OLD.published_by) THEN
        RAISE EXCEPTION 'a version is published once' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER actions_definition_version_guarded BEFORE UPDATE ON actions_actiondefinitionversion
    FOR EACH ROW EXECUTE FUNCTION actions_definition_version_guard();
CREATE CONSTRAINT TRIGGER actions_definition_version_stays AFTER DELETE ON actions_actiondefinitionversion
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION actions_row_stays();
"""
GOES = """
DROP TRIGGER actions_definition_version_stays ON actions_actiondefinitionversion;
DROP TRIGGER actions_definition_version_guarded ON actions_actiondefinitionversion;
DROP FUNCTION actions_definition_version_guard();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0004_workspace_answer_strictness'),
        ('actions', '0009_connections'),
    ]

    operations = [
        migrations.CreateModel(
            name='ActionDefinition',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=60)),
                ('state', models.CharField(choices=[('draft', 'Draft'), ('published', 'Published'), ('disabled', 'Disabled')], default='draft', max_length=12)),
                ('origin', models.CharField(choices=[('console', 'Console'), ('file', 'File'), ('openapi', 'Openapi'), ('mcp', 'Mcp')], default='console', max_length=12)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
        ),
        migrations.CreateModel(
            name='ActionDefinitionVersion',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('document', models.JSONField()),
                ('imported', models.JSONField(default=dict)),
                ('created_by', models.CharField(max_length=120)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('published_by', models.CharField(blank=True, max_length=120)),
                ('published_at', models.DateTimeField(null=True)),
                ('definition', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='actions.actiondefinition')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
        ),
        migrations.AddField(
            model_name='actiondefinition',
            name='current',
            field=models.ForeignKey(db_constraint=False, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='actions.actiondefinitionversion'),
        ),
        migrations.CreateModel(
            name='DefinitionCase',
            fields=[
                ('id', models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=120)),
                ('sub', models.CharField(max_length=200)),
                ('email', models.CharField(blank=True, max_length=254)),
                ('arguments', models.JSONField(default=dict)),
                ('records', models.JSONField(default=dict)),
                ('at', models.DateTimeField(null=True)),
                ('expected', models.CharField(max_length=60)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('definition', models.ForeignKey(db_constraint=False, on_delete=django.db.models.deletion.CASCADE, related_name='cases', to='actions.actiondefinition')),
                ('workspace', models.ForeignKey(default=supportbot.accounts.scope.current_workspace_id, editable=False, on_delete=django.db.models.deletion.CASCADE, to='accounts.workspace')),
            ],
            options={
                'ordering': ['name'],
            },
        ),
        migrations.AddConstraint(
            model_name='actiondefinition',
            constraint=models.UniqueConstraint(fields=('id', 'workspace'), name='action_definition_in_workspace'),
        ),
        migrations.AddConstraint(
            model_name='actiondefinitionversion',
            constraint=models.UniqueConstraint(fields=('id', 'workspace'), name='action_definition_version_in_workspace'),
        ),
        migrations.AddConstraint(
            model_name='actiondefinitionversion',
            constraint=models.UniqueConstraint(fields=('definition', 'number'), name='action_definition_version_once'),
        ),
        migrations.AddConstraint(
            model_name='actiondefinitionversion',
            constraint=supportbot.accounts.constraints.SameWorkspace('definition', name='action_definition_version_workspace'),
        ),
        migrations.AddConstraint(
            model_name='actiondefinition',
            constraint=models.UniqueConstraint(fields=('workspace', 'name'), name='action_definition_name_once'),
        ),
        migrations.AddConstraint(
            model_name='actiondefinition',
            constraint=models.CheckConstraint(condition=models.Q(('state__in', ['draft', 'published', 'disabled'])), name='action_definition_state_known'),
        ),
        migrations.AddConstraint(
            model_name='actiondefinition',
            constraint=models.CheckConstraint(condition=models.Q(('state', 'draft'), ('current__isnull', False), _connector='OR'), name='action_definition_published_has_version'),
        ),
        migrations.AddConstraint(
            model_name='actiondefinition',
            constraint=supportbot.accounts.constraints.SameWorkspace('current', name='action_definition_current_workspace'),
        ),
        migrations.AddConstraint(
            model_name='definitioncase',
            constraint=models.UniqueConstraint(fields=('definition', 'name'), name='definition_case_name_once'),
        ),
        migrations.AddConstraint(
            model_name='definitioncase',
            constraint=supportbot.accounts.constraints.SameWorkspace('definition', name='definition_case_workspace'),
        ),
        migrations.RunSQL(STAYS, GOES),
    ]
