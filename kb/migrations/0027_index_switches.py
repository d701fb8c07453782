"""Switching to another embedding model while everything runs."""

import django.db.models.deletion
from django.db import migrations, models

import supportbot.ids


class Migration(migrations.Migration):
    dependencies = [("kb", "0026_entries_of_zips")]

    operations = [
        migrations.AddField("recipe", "is_chosen", models.BooleanField(default=False, db_default=False)),
        migrations.CreateModel(
            name="IndexSwitch",
            fields=[
                ("id", models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("building", "Building"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="building",
                        max_length=10,
                    ),
                ),
                ("problem", models.CharField(blank=True, default="", max_length=40)),
                ("tries_again_at", models.DateTimeField(blank=True, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(blank=True, null=True)),
                (
                    "recipe",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="switches", to="kb.recipe"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("state", "building")),
                        fields=("state",),
                        name="kb_index_switch_one_building",
                    ),
                ],
            },
        ),
    ]
