from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConsoleConfig(AppConfig):
    """The pages under /admin/; `admin.py` names every one of them."""

    name = "supportbot.console"
    label = "console"
    default = True


class ConsoleAdminConfig(admin.SimpleAdminConfig):
    """Django's admin with the console's site in place of its own.

    The site reads its lists when its addresses are asked for: a process without pages starts in half the time.
    """

    default = False
    default_site = "supportbot.console.site.ConsoleSite"
