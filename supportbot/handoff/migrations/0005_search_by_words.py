from django.contrib.postgres.indexes import GinIndex
from django.db import migrations

from supportbot.concurrent_indexes import AddBigIndex
from supportbot.word_search import Words


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("handoff", "0004_offered_drafts")]

    operations = [AddBigIndex("ticket", GinIndex(Words("summary", "contact_email"), name="ticket_words"))]
