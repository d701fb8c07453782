from django.apps import AppConfig


class ActionsConfig(AppConfig):
    name = "actions"
    label = "actions"

    def ready(self) -> None:
        """Load the catalogue, so that a broken action stops the start-up."""
        from actions.registry import code_actions  # it imports models

        code_actions()
