from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "supportbot.accounts"
    label = "accounts"

    def ready(self) -> None:
        from supportbot.accounts import schema  # noqa: F401  # registers itself; DRF needs the models first
