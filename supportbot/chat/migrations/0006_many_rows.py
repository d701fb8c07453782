from django.contrib.postgres.indexes import GinIndex
from django.db import migrations, models
from django.db.models import Q

from supportbot.concurrent_indexes import AddBigIndex
from supportbot.word_search import Words


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("chat", "0005_message_courtesy")]

    operations = [
        AddBigIndex("conversation", models.Index(fields=["workspace", "created_at"], name="conversation_begun")),
        AddBigIndex("message", GinIndex(Words("text"), name="message_words")),
        AddBigIndex(
            "message",
            models.Index(fields=["workspace", "-created_at"], condition=Q(is_abstention=True), name="message_abstained"),
        ),
        AddBigIndex(
            "message", models.Index(fields=["conversation"], condition=Q(is_held_back=True), name="message_held_back")
        ),
    ]
