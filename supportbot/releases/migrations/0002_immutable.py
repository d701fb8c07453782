from django.db import migrations

# A release that has been live never changes, except that it stops being live.
IMMUTABLE = """
CREATE FUNCTION releases_release_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state NOT IN ('live', 'replaced') THEN
        RETURN NEW;
    END IF;
    IF OLD.state = 'live' AND NEW.state = 'replaced' THEN
        OLD.state := NEW.state;
        OLD.replaced_at := NEW.replaced_at;
    END IF;
    IF NEW IS NOT DISTINCT FROM OLD THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'release % is immutable', OLD.id USING ERRCODE = 'integrity_constraint_violation';
END $$;
CREATE TRIGGER releases_release_never_changes BEFORE UPDATE ON releases_release
    FOR EACH ROW EXECUTE FUNCTION releases_release_stays();
"""
MUTABLE = """
DROP TRIGGER releases_release_never_changes ON releases_release;
DROP FUNCTION releases_release_stays();
"""


class Migration(migrations.Migration):
    dependencies = [("releases", "0001_releases")]
    operations = [migrations.RunSQL(IMMUTABLE, MUTABLE)]
