"""Errors that prevent a start. The person at the terminal sees only the message."""

from django.core.exceptions import ImproperlyConfigured


class InstallationError(ImproperlyConfigured):
    """The base class. `str(error)` says what is wrong and how to fix it.

    It is derived from Django's ImproperlyConfigured, which `manage.py` prints without a traceback.
    """


class StartRefused(InstallationError):
    """A start is not possible with this machine, these settings or this data directory; nothing has changed."""


class AlreadyRunning(InstallationError):
    """Another supervisor has locked the data directory."""
