from django.core.validators import MinValueValidator
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_channel_hours")]

    operations = [
        migrations.AddField(
            "workspace",
            "keep_conversations_days",
            models.PositiveSmallIntegerField(blank=True, null=True, validators=[MinValueValidator(1)]),
        ),
        migrations.AddField(
            "workspace",
            "keep_bodies_days",
            models.PositiveSmallIntegerField(blank=True, null=True, validators=[MinValueValidator(1)]),
        ),
    ]
