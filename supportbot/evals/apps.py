from django.apps import AppConfig


class EvalsConfig(AppConfig):
    name = "supportbot.evals"
    label = "evals"
