from django.apps import AppConfig


class WidgetConfig(AppConfig):
    name = "supportbot.widget"
    label = "widget"
