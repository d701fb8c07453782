from django.db import migrations, models

from supportbot.concurrent_indexes import AddBigIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("handoff", "0002_live_desk")]

    operations = [
        AddBigIndex("ticket", models.Index(fields=["workspace", "-created_at", "-id"], name="ticket_newest")),
    ]
