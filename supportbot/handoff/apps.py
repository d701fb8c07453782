from django.apps import AppConfig


class HandoffConfig(AppConfig):
    name = "supportbot.handoff"
    label = "handoff"
