from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConsoleConfig(AppConfig):
    """The pages under /admin/; `admin.py` names every one of them."""

    name = "supportbot.console"
    label = "console"
    default = True


class ConsoleAdminConfig(admin.AdminConfig):
    """Django's admin with the console's site in place of its own."""

    default = False
    default_site = "supportbot.console.site.ConsoleSite"
