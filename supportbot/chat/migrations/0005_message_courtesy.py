from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("chat", "0004_message_held_back"),
    ]

    operations = [
        migrations.AddField(
            model_name="message",
            name="courtesy",
            field=models.CharField(blank=True, db_default="", default="", max_length=20),
        ),
    ]
