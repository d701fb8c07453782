from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConsoleConfig(AppConfig):
    """The pages under /admin/; `admin.py` lists them all."""

    name = "supportbot.console"
    label = "console"
    default = True


class ConsoleAdminConfig(admin.SimpleAdminConfig):
    """Django's admin with the console's site.

    The site loads its lists when its URLs are first used. This halves the start-up time of processes that serve no
    pages.
    """

    default = False
    default_site = "supportbot.console.site.ConsoleSite"
