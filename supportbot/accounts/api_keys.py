"""API keys: issuing and revoking them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.errors import NoSuchKey
from supportbot.accounts.field_checks import check_fields
from supportbot.accounts.models import ApiKey, User, Workspace, hash_secret
from supportbot.accounts.ports import person_in_records, record_change
from supportbot.accounts.principals import SCOPES
from supportbot.accounts.scope import workspace_scope
from supportbot.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key's row and its plain text, which is shown only once."""

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
    """Issue a key with these scopes, acting as `user` if given; raises InvalidInput for an unknown scope."""
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
    """Revoke a key of the current workspace; raises NoSuchKey. A key already revoked keeps its original time."""
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
