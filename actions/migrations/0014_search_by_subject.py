from django.contrib.postgres.indexes import OpClass
from django.db import migrations, models
from django.db.models.functions import Upper

from supportbot.concurrent_indexes import AddBigIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("actions", "0013_hold")]

    operations = [
        AddBigIndex(
            "actionrequest",
            models.Index("workspace", OpClass(Upper("subject_id"), "text_pattern_ops"), name="action_request_by_subject"),
        ),
    ]
