from django.apps import AppConfig


class LlmConfig(AppConfig):
    name = "supportbot.llm"
    label = "llm"
    verbose_name = "Language models"

    def ready(self) -> None:
        from supportbot.llm import setting_checks  # noqa: F401  # importing it registers the checks
        from supportbot.llm.budget import begin_series

        begin_series()
