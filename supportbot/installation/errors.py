"""What can stop a start. The message is the whole answer to the person who typed the command."""

from django.core.exceptions import ImproperlyConfigured


class EmbeddedError(ImproperlyConfigured):
    """Base of this package. `str(error)` is one sentence: what is wrong and the way out.

    It is Django's own class for "this machine is not set up for that", which `manage.py` shows without a traceback.
    """


class StartRefused(EmbeddedError):
    """The machine, the settings or the data directory do not allow a start; nothing was changed."""


class AlreadyRunning(EmbeddedError):
    """Another supervisor holds the data directory."""
