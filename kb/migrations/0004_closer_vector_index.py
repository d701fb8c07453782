"""Build the vector index with more links, so that it keeps its recall under the filter of one workspace."""

from django.db import migrations

INDEX = """
DROP INDEX kb_chunk_hnsw_384;
CREATE INDEX kb_chunk_hnsw_384 ON kb_chunk USING hnsw ((embedding::halfvec(384)) halfvec_cosine_ops) {options}
    WHERE vector_dims(embedding) = 384;
"""


class Migration(migrations.Migration):
    dependencies = [("kb", "0003_published_revisions")]

    operations = [
        migrations.RunSQL(INDEX.format(options="WITH (m = 24, ef_construction = 128)"), INDEX.format(options="")),
    ]
