from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0003_citation_of_article"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="is_held_back",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
