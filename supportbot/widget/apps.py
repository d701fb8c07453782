from django.apps import AppConfig


class WidgetConfig(AppConfig):
    name = "supportbot.widget"
    label = "widget"

    def ready(self) -> None:
        from supportbot.widget import assets  # noqa: F401  # importing it registers its check
