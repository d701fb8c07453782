"""An index for the languages of a workspace's articles, which every search reads first."""

from django.db import migrations, models

from supportbot.concurrent_indexes import AddBigIndex


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("kb", "0028_ids_of_items")]

    operations = [
        AddBigIndex(
            "article",
            models.Index(
                fields=["workspace", "locale"], condition=models.Q(("state", "live")), name="kb_article_live_locale"
            ),
        ),
    ]
