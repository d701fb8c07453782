"""When a system last said that it was still working on a call, so that a later "never seen" is not believed."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("actions", "0020_drafts_may_be_deleted")]

    operations = [migrations.AddField("attempt", "in_progress_at", models.DateTimeField(null=True))]
