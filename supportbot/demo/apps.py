from django.apps import AppConfig


class DemoConfig(AppConfig):
    name = "supportbot.demo"
    label = "demo"
    verbose_name = "Demo"
