from django.db import migrations, models
from django.db.models import Q

from supportbot.concurrent_indexes import AddBigIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("actions", "0017_argument_order")]

    operations = [
        AddBigIndex(
            "actionrequest",
            models.Index(
                fields=["conversation_id"],
                condition=Q(conversation_id__isnull=False),
                name="action_request_by_conversation",
            ),
        ),
    ]
