from django.apps import AppConfig


class AssistantConfig(AppConfig):
    name = "supportbot.assistant"
    label = "assistant"
