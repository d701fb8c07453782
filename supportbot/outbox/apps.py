from django.apps import AppConfig


class OutboxConfig(AppConfig):
    name = "supportbot.outbox"
    label = "outbox"
