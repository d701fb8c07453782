"""Records who changed people, keys and channels.

The audit trail belongs to a higher-level package, which a setting names.
"""

from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from supportbot.accounts.models import User


class Audit(Protocol):
    """Writes an entry to the current workspace's audit trail, in the transaction of the change."""

    def __call__(self, event: str, *, actor: str, **payload: str | int | bool) -> None: ...


def record_change(event: str, *, actor: str, **payload: str | int | bool) -> None:
    """Write an entry to the audit trail that `ACCOUNTS_AUDIT` names.

    If there is no actor, nothing is written: setting up an installation or the demo creates what it needs before anyone
    works there.
    """
    if actor:
        record: Audit = import_string(settings.ACCOUNTS_AUDIT)
        record(event, actor=actor, **payload)


def person_in_records(person: User | None) -> str:
    """Return the name that records use for a person: their id, which is not personal data, or "service" for a program
    that acts for nobody.
    """
    return f"user:{person.pk}" if person else "service"
