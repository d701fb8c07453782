"""Errors that prevent a start. The person at the terminal sees only the message."""

from django.core.exceptions import ImproperlyConfigured


class InstallationError(ImproperlyConfigured):
    """The base class. `str(error)` says what is wrong and how to fix it.

    It is derived from Django's ImproperlyConfigured, which `manage.py` prints without a traceback.
    """


class StartRefused(InstallationError):
    """The machine, the settings or the data directory do not allow a start; nothing has changed."""


class AlreadyRunning(InstallationError):
    """Another supervisor has locked the data directory."""
