"""Rules that the database enforces. The text of the requests' guard comes from `actions.states`; later migrations
change it.
"""

from django.db import migrations

REQUEST_GUARD = """CREATE OR REPLACE FUNCTION actions_request_guard() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'proposed' THEN
            RAISE EXCEPTION 'a request begins as proposed, not as %', NEW.state
                USING ERRCODE = 'integrity_constraint_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.state <> OLD.state AND NOT (OLD.state || '>' || NEW.state) IN ('proposed>refused', 'proposed>awaiting_confirmation', 'proposed>awaiting_approval', 'proposed>queued', 'awaiting_confirmation>awaiting_approval', 'awaiting_confirmation>queued', 'awaiting_confirmation>cancelled', 'awaiting_confirmation>expired', 'awaiting_approval>queued', 'awaiting_approval>rejected', 'awaiting_approval>cancelled', 'awaiting_approval>expired', 'queued>executing', 'queued>cancelled', 'executing>succeeded', 'executing>failed', 'executing>unknown', 'executing>queued', 'unknown>succeeded', 'unknown>failed') THEN
        RAISE EXCEPTION 'a request does not go from % to %', OLD.state, NEW.state
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.id IS DISTINCT FROM OLD.id OR NEW.workspace_id IS DISTINCT FROM OLD.workspace_id OR NEW.customer_id IS DISTINCT FROM OLD.customer_id OR NEW.conversation_id IS DISTINCT FROM OLD.conversation_id OR NEW.action IS DISTINCT FROM OLD.action OR NEW.spec_version IS DISTINCT FROM OLD.spec_version OR NEW.policy_version_id IS DISTINCT FROM OLD.policy_version_id OR NEW.proposal_key IS DISTINCT FROM OLD.proposal_key OR NEW.asked_digest IS DISTINCT FROM OLD.asked_digest OR NEW.arguments IS DISTINCT FROM OLD.arguments OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.amount IS DISTINCT FROM OLD.amount OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.order_id IS DISTINCT FROM OLD.order_id OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        RAISE EXCEPTION 'the terms of request % never change', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
GUARDED = """
CREATE TRIGGER actions_request_guarded BEFORE INSERT OR UPDATE ON actions_actionrequest
    FOR EACH ROW EXECUTE FUNCTION actions_request_guard();
"""
NOT_GUARDED = """
DROP TRIGGER actions_request_guarded ON actions_actionrequest;
DROP FUNCTION actions_request_guard();
"""

# Deletions are checked when the transaction ends, because erasing a whole workspace deletes children first.
APPEND_ONLY = """
CREATE FUNCTION actions_row_never_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'rows of % never change', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE FUNCTION actions_row_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM accounts_workspace WHERE id = OLD.workspace_id) THEN
        RAISE EXCEPTION 'rows of % are deleted only with their workspace', TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER actions_audit_never_changes BEFORE UPDATE ON actions_auditentry
    FOR EACH ROW EXECUTE FUNCTION actions_row_never_changes();
CREATE TRIGGER actions_policy_version_never_changes BEFORE UPDATE ON actions_actionpolicyversion
    FOR EACH ROW EXECUTE FUNCTION actions_row_never_changes();
CREATE CONSTRAINT TRIGGER actions_audit_stays AFTER DELETE ON actions_auditentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION actions_row_stays();
CREATE CONSTRAINT TRIGGER actions_policy_version_stays AFTER DELETE ON actions_actionpolicyversion
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION actions_row_stays();
CREATE CONSTRAINT TRIGGER actions_request_stays AFTER DELETE ON actions_actionrequest
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION actions_row_stays();
CREATE CONSTRAINT TRIGGER actions_ledger_stays AFTER DELETE ON actions_ledgerentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION actions_row_stays();
"""
NOT_APPEND_ONLY = """
DROP TRIGGER actions_ledger_stays ON actions_ledgerentry;
DROP TRIGGER actions_request_stays ON actions_actionrequest;
DROP TRIGGER actions_policy_version_stays ON actions_actionpolicyversion;
DROP TRIGGER actions_audit_stays ON actions_auditentry;
DROP TRIGGER actions_policy_version_never_changes ON actions_actionpolicyversion;
DROP TRIGGER actions_audit_never_changes ON actions_auditentry;
DROP FUNCTION actions_row_stays();
DROP FUNCTION actions_row_never_changes();
"""


class Migration(migrations.Migration):
    dependencies = [("actions", "0001_actions")]

    operations = [
        migrations.RunSQL(REQUEST_GUARD + GUARDED, NOT_GUARDED),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY),
    ]
