"""The subject of a request never changes. The trigger's text comes from `actions.states`."""

from importlib import import_module

from django.db import migrations

SUBJECT_STAYS = """CREATE OR REPLACE FUNCTION actions_request_guard() RETURNS trigger LANGUAGE plpgsql AS $$
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
    IF NEW.id IS DISTINCT FROM OLD.id OR NEW.workspace_id IS DISTINCT FROM OLD.workspace_id OR NEW.customer_id IS DISTINCT FROM OLD.customer_id OR NEW.conversation_id IS DISTINCT FROM OLD.conversation_id OR NEW.action IS DISTINCT FROM OLD.action OR NEW.spec_version IS DISTINCT FROM OLD.spec_version OR NEW.policy_version_id IS DISTINCT FROM OLD.policy_version_id OR NEW.proposal_key IS DISTINCT FROM OLD.proposal_key OR NEW.asked_digest IS DISTINCT FROM OLD.asked_digest OR NEW.digest IS DISTINCT FROM OLD.digest OR NEW.amount IS DISTINCT FROM OLD.amount OR NEW.currency IS DISTINCT FROM OLD.currency OR NEW.subject_kind IS DISTINCT FROM OLD.subject_kind OR NEW.subject_id IS DISTINCT FROM OLD.subject_id OR NEW.order_id IS DISTINCT FROM OLD.order_id OR NEW.created_at IS DISTINCT FROM OLD.created_at THEN
        RAISE EXCEPTION 'the terms of request % never change', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.arguments IS DISTINCT FROM OLD.arguments AND NOT (NEW.arguments = '{}'::jsonb AND OLD.confirmed_by = '' AND OLD.state IN ('refused', 'succeeded', 'failed', 'cancelled', 'rejected', 'expired')) THEN
        RAISE EXCEPTION 'the arguments of request % never change', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;
"""
ORDER_STAYS = import_module("actions.migrations.0004_forgotten_wishes").MAY_FORGET  # the previous text


class Migration(migrations.Migration):
    dependencies = [("actions", "0006_orders_are_subjects")]

    operations = [migrations.RunSQL(SUBJECT_STAYS, ORDER_STAYS)]
