from django.db import migrations, models

import supportbot.accounts.branding


class Migration(migrations.Migration):
    dependencies = [("accounts", "0010_workspace_retention")]

    operations = [
        migrations.AddField(
            "workspace",
            name,
            models.CharField(
                max_length=300,
                blank=True,
                default="",
                db_default="",
                validators=[supportbot.accounts.branding.web_address_validator],
            ),
        )
        for name in ("imprint_url", "privacy_url")
    ]
