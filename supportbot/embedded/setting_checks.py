"""Checks the settings before anything starts. Values of the wrong type have already failed in the settings module."""

from contextlib import suppress
from email.utils import parseaddr
from typing import Final
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import Error, run_checks
from django.utils.module_loading import import_string
from django.utils.translation import gettext
from kombu.transport import TRANSPORT_ALIASES

from supportbot.embedded.free_ports import is_taken
from supportbot.embedded.servers.external_servers import DatabaseAway, refuse_transaction_pooling, without_secrets
from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import Plan

TAG: Final = "settings"  # marks the system checks that look only at values of settings
# Far fewer than the guides generate, but more than a word has: anyone who guesses the key can forge sessions and links.
LEAST_KEY_CHARACTERS: Final = 20
# Settings that every part of an installation needs; under `make run`, they come from DATA_DIR.
NEEDED: Final = ("DATABASE_URL", "REDIS_URL", "SECRET_KEY", "FIELD_KEYS")


def require_settings(plan: Plan | None = None) -> str:
    """Return "valid". Raises StartRefused for the first setting whose value would fail later."""
    for found in run_checks(tags=[TAG]):
        if isinstance(found, Error):
            raise StartRefused(str(found.msg))
    _require_long_key(settings.SECRET_KEY)
    _require_embedder_class(settings.KB_EMBEDDER)
    _require_sender(settings.DEFAULT_FROM_EMAIL)
    return gettext("valid")


def _require_long_key(key: str) -> None:
    """Raise StartRefused if the SECRET_KEY could be guessed."""
    if len(key) < LEAST_KEY_CHARACTERS:
        raise StartRefused(
            gettext(
                "SECRET_KEY has only {number} characters, so sessions could be forged. Use at least {least} random "
                "ones, such as the output of `openssl rand -base64 48`."
            ).format(number=len(key), least=LEAST_KEY_CHARACTERS)
        )


def _require_embedder_class(name: str) -> None:
    """Raise StartRefused if the class does not exist. Otherwise, every search would use only full text."""
    try:
        if "." in name:
            import_string(name)
    except ImportError as error:
        raise StartRefused(
            gettext("KB_EMBEDDER={name} cannot be imported: {error}.").format(name=name, error=error)
        ) from error


def _require_sender(sender: str) -> None:
    """Raise StartRefused if mail servers would refuse the sender."""
    account, _, host = parseaddr(sender)[1].rpartition("@")
    if not (account and host):  # a mail server on an internal network may accept a sender that others reject
        raise StartRefused(
            gettext("DEFAULT_FROM_EMAIL={sender} is not a valid address. Use one such as {example}.").format(
                sender=sender, example="support@example.com"
            )
        )


def require_host(plan: Plan) -> None:
    """Raise StartRefused if HOST is not an address of this machine."""
    if is_taken(0, host=plan.host):
        raise StartRefused(
            gettext(
                "HOST={host} is not an address of this machine. Use 127.0.0.1, or 0.0.0.0 for all interfaces."
            ).format(host=plan.host)
        )


def _require_broker_scheme(url: str) -> None:
    """Raise StartRefused if the address is not a broker's. Otherwise, a process would start, but never receive or
    send a task.
    """
    try:
        scheme, _, _ = urlsplit(url).scheme.partition("+")  # the broker of sqla+postgresql://, for example
    except ValueError:  # for example, brackets without an IPv6 address
        scheme = ""
    if "://" not in url or scheme not in TRANSPORT_ALIASES:
        raise StartRefused(
            gettext("CELERY_BROKER_URL {url} is not a broker's address, such as redis:// or amqp://.").format(
                url=without_secrets(url)
            )
        )


def require_part_settings() -> None:
    """Raise StartRefused if a setting that all parts share is missing or invalid, or if it leads to a pooler that would
    mix up sessions.
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
    _require_broker_scheme(settings.CELERY_BROKER_URL)
    with suppress(DatabaseAway):  # a part that starts before its database waits for it
        refuse_transaction_pooling(settings.DATABASE_URL)
