"""The keys a channel's identity tokens are signed with: a second one, and the end of one."""

import secrets
from dataclasses import dataclass

from django.db import IntegrityError, transaction
from django.utils.timezone import now

from supportbot.accounts.errors import NameTaken, NoSuchKey
from supportbot.accounts.models import Channel, IdentityKey


@dataclass(frozen=True, slots=True)
class NewIdentityKey:
    """A key's name, and the secret to sign with, which is shown this once."""

    kid: str
    secret: str


def channel_named(key: str) -> Channel:
    """Return the channel of the scope's workspace with this public key, live or not; raises NoSuchKey."""
    channel: Channel | None = Channel.objects.filter(key=key).first()
    if channel is None:
        raise NoSuchKey(f"There is no channel {key} in this workspace.")
    return channel


def add_identity_key(channel: Channel) -> NewIdentityKey:
    """Add an HS256 key beside those there are, under the next free number; raises NameTaken if two do so at once."""
    numbers = [int(kid) for kid in channel.identity_keys.values_list("kid", flat=True) if kid.isdecimal()]
    new = NewIdentityKey(str(max(numbers, default=0) + 1), secrets.token_urlsafe(48))
    algorithm = IdentityKey.Algorithm.HS256
    try:
        with transaction.atomic():
            IdentityKey.objects.create(channel=channel, kid=new.kid, algorithm=algorithm, secret=new.secret)
    except IntegrityError as error:
        raise NameTaken(f"A key {new.kid} was added a moment ago: try again.") from error
    return new


def revoke_identity_key(channel: Channel, kid: str) -> None:
    """End a key at once: what it signed proves nothing any more. Raises NoSuchKey."""
    keys = channel.identity_keys.filter(kid=kid)
    if not keys.exists():
        known = ", ".join(channel.identity_keys.filter(revoked_at=None).order_by("kid").values_list("kid", flat=True))
        raise NoSuchKey(f"Channel {channel.key} has no key {kid}; it has {known or 'none that is live'}.")
    keys.filter(revoked_at=None).update(revoked_at=now())
