"""Calls that the budget did not allow have an outcome of their own."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("llm", "0005_calls_by_time")]

    operations = [
        migrations.AlterField(
            "llmcall",
            "outcome",
            models.CharField(
                choices=[
                    ("done", "Done"),
                    ("refused", "refused: nothing was generated"),
                    ("unclear", "interrupted: it is not known how much was generated"),
                    ("stopped", "stopped by SupportBot"),
                    ("skipped", "not called: too little of the budget was left"),
                ],
                max_length=8,
            ),
        ),
    ]
