"""Versions that were never published may be deleted; published ones still go only with their workspace."""

from django.db import migrations

MAY_GO = """
CREATE FUNCTION actions_published_version_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL AND EXISTS (SELECT 1 FROM accounts_workspace WHERE id = OLD.workspace_id) THEN
        RAISE EXCEPTION 'published versions are deleted only with their workspace'
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
