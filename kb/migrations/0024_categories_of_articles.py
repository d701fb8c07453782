"""Create rows for the categories that articles name."""

from django.db import migrations

# There are few categories, so one statement is enough; running it again adds missing ones.
FILL = """
    INSERT INTO kb_category (id, workspace_id, name, former_names, description, icon, translations)
    SELECT gen_random_uuid(), workspace_id, category, '{}', '', '', '{}'
    FROM (SELECT DISTINCT workspace_id, category FROM kb_article WHERE category <> '') AS known
    ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("kb", "0023_categories")]

    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop, elidable=True)]
