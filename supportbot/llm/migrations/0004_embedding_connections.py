"""Servers of embedding models, and the routes of indexes to them."""

import django.utils.timezone
from django.db import migrations, models

import supportbot.accounts.encrypted_fields
import supportbot.ids


class Migration(migrations.Migration):
    dependencies = [("llm", "0003_model_connections")]

    operations = [
        migrations.CreateModel(
            name="EmbeddingConnection",
            fields=[
                ("id", models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=40, unique=True)),
                ("base_url", models.CharField(max_length=300)),
                ("model", models.CharField(max_length=200)),
                ("key", supportbot.accounts.encrypted_fields.EncryptedTextField(blank=True)),
                ("input_price", models.DecimalField(blank=True, decimal_places=6, max_digits=12, null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
                ("dimensions", models.PositiveIntegerField(editable=False, null=True)),
                ("sample", models.JSONField(default=list, editable=False)),
                ("tested_at", models.DateTimeField(editable=False, null=True)),
                ("key_changed_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("version", models.PositiveIntegerField(default=1, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="EmbeddingRoute",
            fields=[
                ("id", models.UUIDField(default=supportbot.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("recipe", models.CharField(max_length=200, unique=True)),
                ("model", models.CharField(max_length=200)),
                ("dimensions", models.PositiveIntegerField()),
                ("sample", models.JSONField()),
                ("connections", models.JSONField(help_text="The ids of the connections, in order.")),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
    ]
