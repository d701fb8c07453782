from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    """Renames a field of messages. Its column and index stay, since the previous version uses them while it runs."""

    dependencies = [("chat", "0011_retention_run_visitors")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("message", "message_held_back"),
                migrations.AlterField(
                    "message",
                    "is_held_back",
                    models.BooleanField(db_column="is_held_back", db_default=False, default=False),
                ),
                migrations.RenameField("message", "is_held_back", "is_withheld"),
                migrations.AddIndex(
                    "message",
                    models.Index(fields=["conversation"], condition=Q(is_withheld=True), name="message_held_back"),
                ),
            ]
        )
    ]
