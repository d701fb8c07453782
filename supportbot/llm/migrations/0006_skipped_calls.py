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
                    ("unclear", "broke off: how much was generated is not known"),
                    ("stopped", "stopped by us"),
                    ("skipped", "not called: too little of the budget was left"),
                ],
                max_length=8,
            ),
        ),
    ]
