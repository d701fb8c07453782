"""The addresses an operator sets: PUBLIC_URL, by which browsers reach the installation, and REDIS_URL."""

from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

# A server that accepts connections and never answers would block every request forever; a refused connection would not.
CACHE_SECONDS: Final = 1.0
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def public_address(value: str) -> str:
    """Return PUBLIC_URL as browsers write it in `Origin`: in lower case, without a default port.

    Raises ImproperlyConfigured if it is not the address of a web server.
    """
    parts = _split(value)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        raise ImproperlyConfigured(f"PUBLIC_URL={value} is not an address such as https://help.example.com.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:  # brackets without an IPv6 address, or a port that is not a number
        return None
    return parts


def cache_at(address: str) -> dict[str, Any]:
    """Return Django's cache settings for this address."""
    timeouts = {"socket_timeout": CACHE_SECONDS, "socket_connect_timeout": CACHE_SECONDS}
    return {"BACKEND": "supportbot.counting.CountingRedisCache", "LOCATION": address, "OPTIONS": timeouts}


def database_at(address: str, offset: int) -> str:
    """Return the address of the database `offset` places after the one that `address` names (0 if it names none).

    The password and other options are kept. Raises ImproperlyConfigured if the database is not a number.
    """
    parts = urlsplit(address)
    options = [option for option in parts.query.split("&") if option]
    # takes precedence over the path
    named = [option.removeprefix("db=") for option in options if option.startswith("db=")]
    number = next(iter(named), parts.path.strip("/")) or "0"
    if not (number.isascii() and number.isdigit()):
        raise ImproperlyConfigured(
            f"REDIS_URL names the database {number!r}, which is not a number. "
            "Write it like redis://:secret@host:6379/0."
        )
    others = "&".join(option for option in options if not option.startswith("db="))
    return urlunsplit(parts._replace(path=f"/{int(number) + offset}", query=others))
