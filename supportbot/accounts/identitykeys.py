"""The keys a channel's identity tokens are signed with: a second one, and the end of one."""

import secrets
from dataclasses import dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.db import IntegrityError, transaction
from django.utils.timezone import now

from supportbot.accounts.errors import NameTaken, NoSuchKey
from supportbot.accounts.models import Channel, IdentityKey
from supportbot.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class NewIdentityKey:
    """A key's name, and the secret to sign with, which is shown this once; none where the merchant has it alone."""

    kid: str
    secret: str = ""


def channel_named(key: str) -> Channel:
    """Return the channel of the scope's workspace with this public key, live or not; raises NoSuchKey."""
    channel: Channel | None = Channel.objects.filter(key=key).first()
    if channel is None:
        raise NoSuchKey(f"There is no channel {key} in this workspace.")
    return channel


def add_identity_key(channel: Channel) -> NewIdentityKey:
    """Add an HS256 key beside those there are, under the next free number; raises NameTaken if two do so at once."""
    new = NewIdentityKey(_next_kid(channel), secrets.token_urlsafe(48))
    _add(channel, kid=new.kid, algorithm=IdentityKey.Algorithm.HS256, secret=new.secret)
    return new


def add_public_key(channel: Channel, pem: str) -> NewIdentityKey:
    """Add the public half of an ES256 key in the same way; raises InvalidInput for what is none."""
    new = NewIdentityKey(_next_kid(channel))
    _add(channel, kid=new.kid, algorithm=IdentityKey.Algorithm.ES256, public_key=_checked(pem))
    return new


def _next_kid(channel: Channel) -> str:
    numbers = [int(kid) for kid in channel.identity_keys.values_list("kid", flat=True) if kid.isdecimal()]
    return str(max(numbers, default=0) + 1)


def _add(channel: Channel, *, kid: str, **key: str) -> None:
    try:
        with transaction.atomic():
            IdentityKey.objects.create(channel=channel, kid=kid, **key)
    except IntegrityError as error:
        raise NameTaken(f"A key {kid} was added a moment ago: try again.") from error


def _checked(pem: str) -> str:
    problem = "This is no public key for ES256: give one of the curve P-256 as PEM text (BEGIN PUBLIC KEY)."
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(problem, fields={"public_key": [problem]}) from error
    if not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise InvalidInput(problem, fields={"public_key": [problem]})
    return pem


def revoke_identity_key(channel: Channel, kid: str) -> None:
    """End a key at once: what it signed proves nothing any more. Raises NoSuchKey."""
    keys = channel.identity_keys.filter(kid=kid)
    if not keys.exists():
        known = ", ".join(channel.identity_keys.filter(revoked_at=None).order_by("kid").values_list("kid", flat=True))
        raise NoSuchKey(f"Channel {channel.key} has no key {kid}; it has {known or 'none that is live'}.")
    keys.filter(revoked_at=None).update(revoked_at=now())
