from django.apps import AppConfig


class ActionsConfig(AppConfig):
    name = "actions"
    label = "actions"

    def ready(self) -> None:
        """Load the catalogue now: an action that cannot work should stop the start-up."""
        from actions.registry import code_actions  # it imports models

        code_actions()
