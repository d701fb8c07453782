from django.apps import AppConfig


class EmbeddedConfig(AppConfig):
    name = "supportbot.embedded"
    label = "embedded"
    verbose_name = "This machine"
