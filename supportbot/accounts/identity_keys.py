"""Adds and revokes the keys that sign a channel's identity tokens."""

import secrets
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from django.db import IntegrityError, transaction
from django.utils.timezone import now
from django.utils.translation import gettext

from supportbot.accounts.errors import NameTaken, NoSuchKey
from supportbot.accounts.models import Channel, IdentityKey
from supportbot.accounts.ports import record_change
from supportbot.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class NewIdentityKey:
    """A key's `kid` and signing secret, which is shown only once.

    The secret is "" if only the merchant has the private key.
    """

    kid: str
    secret: str = ""


def add_identity_key(channel: Channel, *, actor: str = "") -> NewIdentityKey:
    """Add an HS256 key with the next free number. Raises NameTaken if another key was added at the same time."""
    new = NewIdentityKey(_next_kid(channel), secrets.token_urlsafe(48))
    _add(channel, actor, kid=new.kid, algorithm=IdentityKey.Algorithm.HS256, secret=new.secret)
    return new


def add_public_key(channel: Channel, pem: str, *, actor: str = "") -> NewIdentityKey:
    """Like `add_identity_key`, but with an ES256 public key. Raises InvalidInput if the key is not valid."""
    new = NewIdentityKey(_next_kid(channel))
    _add(channel, actor, kid=new.kid, algorithm=IdentityKey.Algorithm.ES256, public_key=_checked(pem))
    return new


def _next_kid(channel: Channel) -> str:
    numbers = [int(kid) for kid in channel.identity_keys.values_list("kid", flat=True) if kid.isdecimal()]
    return str(max(numbers, default=0) + 1)


def _add(channel: Channel, actor: str, *, kid: str, **key: str) -> None:
    try:
        with transaction.atomic():
            made = IdentityKey.objects.create(channel=channel, kid=kid, **key)
            facts = {"channel": channel.key, "kid": kid, "algorithm": str(made.algorithm)}
            record_change("identity_key.added", actor=actor, **facts)
    except IntegrityError as error:
        raise NameTaken(gettext("A key {kid} was added at the same moment. Try again.").format(kid=kid)) from error


def _checked(pem: str) -> str:
    problem = gettext("This is not an ES256 public key. Use a P-256 key in PEM format (BEGIN PUBLIC KEY).")
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidInput(problem, fields={"public_key": [problem]}) from error
    if not (isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1)):
        raise InvalidInput(problem, fields={"public_key": [problem]})
    return pem


@transaction.atomic
def revoke_identity_key(channel: Channel, kid: str, *, actor: str = "") -> datetime:
    """Revoke a key, and with it every token that it has signed, at once; return the time. If the key has already been
    revoked, the original time is kept. Raises NoSuchKey.
    """
    is_revoked_now = channel.identity_keys.filter(kid=kid, revoked_at=None).update(revoked_at=now())
    revoked_at: datetime | None = channel.identity_keys.filter(kid=kid).values_list("revoked_at", flat=True).first()
    if revoked_at is None:
        known = ", ".join(channel.identity_keys.filter(revoked_at=None).order_by("kid").values_list("kid", flat=True))
        raise NoSuchKey(
            gettext("Channel {channel} has no key {kid}. Its live keys: {known}.").format(
                channel=channel.key, kid=kid, known=known or gettext("none")
            )
        )
    if is_revoked_now:
        record_change("identity_key.revoked", actor=actor, channel=channel.key, kid=kid)
    return revoked_at
