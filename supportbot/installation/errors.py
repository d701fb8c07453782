"""Errors that stop a start. The message is everything the person at the terminal gets to see."""

from django.core.exceptions import ImproperlyConfigured


class InstallationError(ImproperlyConfigured):
    """Base class. `str(error)` says what is wrong and how to fix it.

    It derives from Django's ImproperlyConfigured, which `manage.py` prints without a traceback.
    """


class StartRefused(InstallationError):
    """The machine, the settings or the data directory do not allow a start; nothing has changed."""


class AlreadyRunning(InstallationError):
    """Another supervisor has locked the data directory."""
