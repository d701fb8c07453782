"""A definition that was never published may be deleted with its versions; others go only with their workspace."""

from django.db import migrations

MAY_GO = """
CREATE FUNCTION actions_published_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM accounts_workspace WHERE id = OLD.workspace_id) AND (
        OLD.published_at IS NOT NULL OR EXISTS (SELECT 1 FROM actions_actiondefinition WHERE id = OLD.definition_id)
    ) THEN
        RAISE EXCEPTION 'a version is deleted only with its workspace, or with a definition that was never published'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER actions_definition_version_stays ON actions_actiondefinitionversion;
CREATE CONSTRAINT TRIGGER actions_definition_version_stays AFTER DELETE ON actions_actiondefinitionversion
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION actions_published_version_stays();
"""
STAYS = """
DROP TRIGGER actions_definition_version_stays ON actions_actiondefinitionversion;
CREATE CONSTRAINT TRIGGER actions_definition_version_stays AFTER DELETE ON actions_actiondefinitionversion
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION actions_row_stays();
DROP FUNCTION actions_published_version_stays();
"""


class Migration(migrations.Migration):

    dependencies = [("actions", "0019_requests_by_time")]

    operations = [migrations.RunSQL(MAY_GO, STAYS)]
