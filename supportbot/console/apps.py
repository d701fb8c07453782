from django.apps import AppConfig
from django.contrib.admin import apps as admin


class ConsoleConfig(AppConfig):
    """The pages under /admin/, all listed in `admin.py`."""

    name = "supportbot.console"
    label = "console"
    default = True


class ConsoleAdminConfig(admin.SimpleAdminConfig):
    """Django's admin with the console's site.

    The site loads its lists when its URLs are first used, so that a process without pages starts in half the time.
    """

    default = False
    default_site = "supportbot.console.site.ConsoleSite"
