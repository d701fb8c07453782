"""Identity tokens: a merchant's server states who its signed-in customer is.

The algorithm comes from the stored key, never from the token. Only the channel's own keys are tried, and headers that
point elsewhere (`jku`, `x5u`, `jwk`) are never followed. A token is valid for an hour at most.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import jwt

from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.field_checks import is_language_code
from supportbot.accounts.models import Channel, IdentityKey
from supportbot.accounts.scope import workspace_scope

MAX_LIFE: Final = timedelta(hours=1)
LEEWAY: Final = timedelta(seconds=60)
MAX_TOKEN_CHARACTERS: Final = 8_000
MAX_SUBJECT_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Identity:
    """A merchant's customer whose identity is verified. `subject` is the merchant's id for them."""

    subject: str
    name: str
    email: str
    locale: str
    expires_at: datetime


def verify_identity(channel: Channel, token: str) -> Identity:
    """Return the identity in the token. Raises InvalidToken, which names the cause so that the merchant can fix it."""
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise InvalidToken("The identity token is longer than 8,000 characters.")
    for key in _candidate_keys(channel, token):
        claims = _claims(token, key, channel.key)
        if claims is not None:
            return _identity(claims)
    raise InvalidToken("The identity token is not signed by a key of this channel.")


def _candidate_keys(channel: Channel, token: str) -> list[IdentityKey]:
    if not token.isascii():
        raise InvalidToken("The identity token is not a JWT.")
    try:
        kid = jwt.get_unverified_header(token).get("kid")
    except (jwt.PyJWTError, RecursionError) as error:  # RecursionError: maliciously nested JSON
        raise InvalidToken("The identity token is not a JWT.") from error
    with workspace_scope(channel.workspace_pk):
        keys = list(channel.identity_keys.filter(revoked_at=None))
    # If a token names its key, only that key is tried: after a rotation, an old `kid` must not match new keys.
    named = keys if kid is None else [key for key in keys if key.kid == kid]
    if keys and not named:
        raise InvalidToken(
            "The identity token refers to an unknown key (`kid`). Leave `kid` out, or use one of this channel's."
        )
    return named


def _claims(token: str, key: IdentityKey, audience: str) -> dict[str, Any] | None:
    """Return the claims if this key signed them, or None if another key may have.

    Raises InvalidToken for an invalid claim.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key.verifying_key,
            algorithms=[key.algorithm],
            audience=audience,
            leeway=LEEWAY,
            options={"require": ["sub", "aud", "iat", "exp"], "strict_aud": True, "verify_sub": False},
        )
    except (jwt.InvalidSignatureError, jwt.InvalidAlgorithmError, jwt.InvalidKeyError):
        return None
    except jwt.ExpiredSignatureError as error:
        raise InvalidToken("The identity token has expired. Ask your server for a fresh one.") from error
    except jwt.ImmatureSignatureError as error:
        raise InvalidToken("The identity token is not valid yet (`iat`, `nbf`). Check your server's clock.") from error
    except jwt.InvalidAudienceError as error:
        raise InvalidToken("The identity token is for another audience. `aud` must be the channel's key.") from error
    except jwt.MissingRequiredClaimError as error:
        raise InvalidToken(f"The identity token is missing the claim `{error.claim}`.") from error
    except (jwt.PyJWTError, RecursionError) as error:
        raise InvalidToken("The identity token cannot be read or contains a claim of the wrong type.") from error
    return claims


def _identity(claims: dict[str, Any]) -> Identity:
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    if expires - issued > MAX_LIFE:
        raise InvalidToken("The identity token is valid for too long. `exp` may be at most one hour after `iat`.")
    return Identity(
        subject=_subject(claims["sub"]),
        name=_text(claims, "name", 200),
        email=_text(claims, "email", 254),
        locale=_locale(_text(claims, "locale", 40)),
        expires_at=expires,
    )


def _moment(claims: dict[str, Any], name: str) -> datetime:
    value = claims[name]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"The claim `{name}` must be a number of seconds.")
    try:
        return datetime.fromtimestamp(value, UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise InvalidToken(f"The claim `{name}` is not a valid time.") from error


def _subject(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InvalidToken("The claim `sub` must be a non-empty string.")
    if len(value) > MAX_SUBJECT_CHARACTERS or any(unicodedata.category(char)[0] == "C" for char in value):
        raise InvalidToken("The claim `sub` must be at most 200 characters long and contain no control characters.")
    return value


def _text(claims: dict[str, Any], name: str, limit: int) -> str:
    """Return an optional claim that is only displayed; "" if it is not a string or contains control characters."""
    value = claims.get(name)
    if not isinstance(value, str) or any(unicodedata.category(char)[0] == "C" for char in value):
        return ""
    return value.strip()[:limit]


def _locale(claim: str) -> str:
    """Return the language code in a claim such as `pt-BR`, `de_DE.UTF-8`, `de_DE@euro` or `zh-Hans-CN`, with at most
    one subtag; "" if there is none.
    """
    code = "-".join(re.split("[-_]", re.split("[.@]", claim)[0])[:2])
    return code if is_language_code(code) else ""
