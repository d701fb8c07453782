from django.apps import AppConfig


class ReleasesConfig(AppConfig):
    name = "supportbot.releases"
    label = "releases"
