from django.apps import AppConfig


class ChatConfig(AppConfig):
    name = "supportbot.chat"
    label = "chat"
