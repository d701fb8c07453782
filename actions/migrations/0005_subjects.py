"""A request's subject: any kind of record, not only an order.

Until 0.3, a process of the previous release may still insert rows that name only an order; a trigger fills in their
subject.
"""

from django.db import migrations, models

FILLED = """
CREATE FUNCTION actions_order_is_subject() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.subject_kind = '' AND NEW.order_id <> '' THEN
        NEW.subject_kind := 'order';
        NEW.subject_id := NEW.order_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER actions_request_subject BEFORE INSERT ON actions_actionrequest
    FOR EACH ROW EXECUTE FUNCTION actions_order_is_subject();
CREATE TRIGGER actions_ledger_subject BEFORE INSERT ON actions_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION actions_order_is_subject();
"""
NOT_FILLED = """
DROP TRIGGER actions_ledger_subject ON actions_ledgerentry;
DROP TRIGGER actions_request_subject ON actions_actionrequest;
DROP FUNCTION actions_order_is_subject();
"""


def _column(length: int) -> "models.CharField[str, str]":
    return models.CharField(blank=True, db_default="", default="", max_length=length)


class Migration(migrations.Migration):
    dependencies = [("actions", "0004_forgotten_wishes")]

    operations = [
        migrations.AddField("actionrequest", "subject_kind", _column(60)),
        migrations.AddField("actionrequest", "subject_id", _column(200)),
        migrations.AddField("ledgerentry", "subject_kind", _column(60)),
        migrations.AddField("ledgerentry", "subject_id", _column(200)),
        migrations.RunSQL(FILLED, NOT_FILLED),
    ]
