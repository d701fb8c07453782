"""Rules that the database enforces, and the vector index for the packaged model's dimensions."""

from django.db import migrations

POINTERS = """
ALTER TABLE kb_article ADD CONSTRAINT kb_article_live_revision_own
    FOREIGN KEY (live_revision_id, id) REFERENCES kb_revision (id, article_id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE kb_article ADD CONSTRAINT kb_article_latest_revision_own
    FOREIGN KEY (latest_revision_id, id) REFERENCES kb_revision (id, article_id) DEFERRABLE INITIALLY DEFERRED;
"""
NO_POINTERS = """
ALTER TABLE kb_article DROP CONSTRAINT kb_article_live_revision_own;
ALTER TABLE kb_article DROP CONSTRAINT kb_article_latest_revision_own;
"""

# A revision may lose only its author, when a person is forgotten. It is deleted only with its workspace; this is
# checked when the transaction ends, since the erasure deletes children first.
IMMUTABLE = """
CREATE FUNCTION kb_revision_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        OLD.author_id := NULL;
        IF NEW IS NOT DISTINCT FROM OLD THEN
            RETURN NEW;
        END IF;
        RAISE EXCEPTION 'revision % is immutable', OLD.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM accounts_workspace WHERE id = OLD.workspace_id) THEN
        RAISE EXCEPTION 'revision % is deleted only with its workspace', OLD.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER kb_revision_never_changes BEFORE UPDATE ON kb_revision
    FOR EACH ROW EXECUTE FUNCTION kb_revision_stays();
CREATE CONSTRAINT TRIGGER kb_revision_never_goes AFTER DELETE ON kb_revision DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION kb_revision_stays();
"""
MUTABLE = """
DROP TRIGGER kb_revision_never_goes ON kb_revision;
DROP TRIGGER kb_revision_never_changes ON kb_revision;
DROP FUNCTION kb_revision_stays();
"""

# The column has no fixed dimensions, but an index needs them: one partial index each. Queries repeat both expressions.
VECTOR_INDEX = """
CREATE INDEX kb_chunk_hnsw_384 ON kb_chunk USING hnsw ((embedding::halfvec(384)) halfvec_cosine_ops)
    WHERE vector_dims(embedding) = 384;
"""


class Migration(migrations.Migration):
    dependencies = [("kb", "0001_knowledge")]

    operations = [
        migrations.RunSQL(POINTERS, NO_POINTERS),
        migrations.RunSQL(IMMUTABLE, MUTABLE),
        migrations.RunSQL(VECTOR_INDEX, "DROP INDEX kb_chunk_hnsw_384"),
    ]
