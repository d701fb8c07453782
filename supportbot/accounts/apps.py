from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "supportbot.accounts"
    label = "accounts"
