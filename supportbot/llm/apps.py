from django.apps import AppConfig


class LlmConfig(AppConfig):
    name = "supportbot.llm"
    label = "llm"
    verbose_name = "Language models"
