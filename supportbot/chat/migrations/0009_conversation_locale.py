from django.db import migrations, models

from supportbot.concurrent_indexes import AddBigIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("chat", "0008_answered_before")]

    operations = [
        AddBigIndex("conversation", models.Index(fields=["workspace", "locale"], name="conversation_locale")),
    ]
