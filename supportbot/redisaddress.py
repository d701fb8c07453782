"""The databases of one Redis or Valkey that broker, channel layer and cache use, by the address an operator gives."""

from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

# A server that takes connections and answers nothing would hold up every request for ever; one that is down, none.
CACHE_SECONDS: Final = 1.0


def cache_at(address: str) -> dict[str, Any]:
    """Return Django's settings of the cache at this address."""
    patience = {"socket_timeout": CACHE_SECONDS, "socket_connect_timeout": CACHE_SECONDS}
    return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": address, "OPTIONS": patience}


def database_at(address: str, place: int) -> str:
    """Return the address of the database `place` behind the one that `address` names, 0 if it names none.

    A password and options stay. Raises ImproperlyConfigured for what stands where the number belongs and is none.
    """
    parts = urlsplit(address)
    options = [option for option in parts.query.split("&") if option]
    named = [option.removeprefix("db=") for option in options if option.startswith("db=")]  # it would win over the path
    number = next(iter(named), parts.path.strip("/")) or "0"
    if not (number.isascii() and number.isdigit()):
        raise ImproperlyConfigured(
            f"REDIS_URL names the database {number!r}, which is no number: write it like redis://:secret@host:6379/0."
        )
    others = "&".join(option for option in options if not option.startswith("db="))
    return urlunsplit(parts._replace(path=f"/{int(number) + place}", query=others))
