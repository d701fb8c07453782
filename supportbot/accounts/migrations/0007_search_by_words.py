from django.contrib.postgres.indexes import GinIndex
from django.db import migrations

from supportbot.concurrent_indexes import AddBigIndex
from supportbot.word_search import Words


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0006_setuplink")]

    operations = [
        AddBigIndex("customer", GinIndex(Words("name", "email", "external_id"), name="customer_words")),
    ]
