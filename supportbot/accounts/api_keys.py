"""API keys: issuing and revoking them, and finding the caller who sends one."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hmac import compare_digest
from typing import Final

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.errors import InvalidKey, NoSuchKey
from supportbot.accounts.field_checks import check_fields
from supportbot.accounts.models import ApiKey, User, Workspace, hash_secret
from supportbot.accounts.ports import person_in_records, record_change
from supportbot.accounts.principals import SCOPES, Staff
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.accounts.staff_principals import staff_of
from supportbot.errors import InvalidInput

LAST_USED_RESOLUTION: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key's row, and its plain text, which is shown only once."""

    row: ApiKey
    plain: str


@transaction.atomic
def issue_api_key(
    workspace: Workspace,
    name: str,
    *,
    scopes: Sequence[str],
    user: User | None = None,
    expires_at: datetime | None = None,
    actor: str = "",
) -> NewApiKey:
    """Issue a key with these scopes, which acts as `user` if given. Raises InvalidInput for an unknown scope."""
    unknown = sorted(set(scopes) - SCOPES)
    if unknown or not scopes:
        raise InvalidInput(
            fields={"scopes": [gettext("Choose from {choices}.").format(choices=", ".join(sorted(SCOPES)))]}
        )
    prefix = f"sk_{secrets.token_hex(4)}"
    plain = f"{prefix}_{secrets.token_urlsafe(32)}"
    with workspace_scope(workspace.pk):
        row = ApiKey(
            prefix=prefix,
            key_hash=hash_secret(plain),
            name=name.strip(),
            scopes=sorted(set(scopes)),
            user=user,
            expires_at=expires_at,
        )
        check_fields(row)
        row.save(force_insert=True)
        scopes_in_words, owner = " ".join(row.scopes), person_in_records(user)
        record_change(
            "api_key.issued", actor=actor, prefix=prefix, name=row.name, scopes=scopes_in_words, acts_as=owner
        )
    return NewApiKey(row, plain)


@transaction.atomic
def revoke_api_key(prefix: str, *, actor: str = "") -> ApiKey:
    """Revoke a key of the current workspace.

    If it has already been revoked, the original time is kept. Raises NoSuchKey.
    """
    is_revoked_now = ApiKey.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=now())
    key: ApiKey | None = ApiKey.objects.filter(prefix=prefix).first()
    if key is None:
        text = gettext(
            "There is no API key with the prefix {prefix}. The prefix is everything before the second underscore."
        )
        raise NoSuchKey(text.format(prefix=prefix))
    if is_revoked_now:
        record_change("api_key.revoked", actor=actor, prefix=prefix, name=key.name)
    return key


def staff_by_api_key(plain: str) -> tuple[Staff, User | None]:
    """Return the caller who uses an API key, and the account that the key acts as, if any.

    Raises InvalidKey if the key is unknown, expired or revoked.
    """
    staff, key = staff_and_key(plain)
    return staff, key.user


def staff_and_key(plain: str) -> tuple[Staff, ApiKey]:
    """Return the caller who uses an API key, and the key. Raises InvalidKey if it is unknown, expired or revoked."""
    prefix = "_".join(plain.split("_")[:2])
    if not plain.isprintable():  # PostgreSQL accepts neither NUL nor lone surrogates
        raise InvalidKey()
    with across_workspaces("look-up by API key"):
        key = ApiKey.objects.select_related("user").filter(prefix=prefix).first()
        if key is None or not compare_digest(key.key_hash, hash_secret(plain)) or not key.is_live:
            raise InvalidKey()
        if key.user is None:
            staff = Staff(key.workspace_pk, None, key.name, None, frozenset(key.scopes), key.pk)
        else:
            staff = _narrowed(staff_of(key.user, key.workspace_pk), key)
        _touch(key)
        return staff, key


def _narrowed(person: Staff | None, key: ApiKey) -> Staff:
    if person is None:  # the person left the workspace, which ends their keys
        raise InvalidKey()
    return replace(person, scopes=person.scopes & set(key.scopes), key_id=key.pk)


def _touch(key: ApiKey) -> None:
    used_at = now()
    if key.last_used_at is None or used_at - key.last_used_at > LAST_USED_RESOLUTION:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=used_at)
