"""Checks the settings before anything starts. Values of the wrong type already fail in the settings module."""

from contextlib import suppress
from typing import Final

from django.conf import settings
from django.core.checks import Error, run_checks
from django.utils.translation import gettext

from supportbot.embedded.external_servers import DatabaseAway, refuse_transaction_pooling
from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import Plan

TAG: Final = "settings"  # tags of the system checks that only look at values of settings
# Settings that every part of an installation needs; under `make run`, they come from DATA_DIR.
NEEDED: Final = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_KEYS")


def require_settings(plan: Plan | None = None) -> str:
    """Return "valid". Raises StartRefused with the first setting whose value would fail later."""
    for found in run_checks(tags=[TAG]):
        if isinstance(found, Error):
            raise StartRefused(str(found.msg))
    return gettext("valid")


def require_part_settings() -> None:
    """Raise StartRefused if a setting that all parts share is missing or invalid, or names a pooler that would mix up
    sessions.
    """
    made_up = {"SECRET_KEY"} if settings.SECRET_KEY_IS_MADE_UP else set()
    missing = [name for name in NEEDED if name in made_up or not getattr(settings, name)]
    if missing:
        raise StartRefused(
            gettext(
                "{missing} is not set. Set it to the same value for all parts of the installation, or start "
                "everything on this machine with `make run`."
            ).format(missing=missing[0])
        )
    require_settings()
    with suppress(DatabaseAway):  # a part that starts before its database waits for it
        refuse_transaction_pooling(settings.DATABASE_URL)
