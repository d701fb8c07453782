from django.apps import AppConfig


class InsightsConfig(AppConfig):
    name = "supportbot.insights"
    label = "insights"
