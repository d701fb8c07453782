from django.apps import AppConfig


class WebhooksConfig(AppConfig):
    name = "supportbot.webhooks"
    label = "webhooks"
