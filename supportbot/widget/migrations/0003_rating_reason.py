from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("widget", "0002_page_code"),
    ]

    operations = [
        migrations.AddField(
            model_name="rating",
            name="reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("wrong", "Wrong"),
                    ("off_topic", "Off Topic"),
                    ("incomplete", "Incomplete"),
                    ("unclear", "Unclear"),
                ],
                db_default="",
                default="",
                max_length=12,
            ),
        ),
    ]
