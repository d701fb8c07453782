"""The URLs that an operator sets: PUBLIC_URL, where browsers reach the installation, and DATABASE_URL, REDIS_URL and
EMAIL_URL, the addresses of its servers.

Every refusal is an ImproperlyConfigured whose message shows no password.
"""

import os
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from django.core.exceptions import ImproperlyConfigured

from supportbot.installation.environment import Env
from supportbot.observing.database_connection_failures import PooledConnection

# Without a limit, a server that accepts connections but never answers would block every request forever.
CACHE_SECONDS: Final = 1.0
# The driver's own limit is 130 seconds per address, which is longer than a liveness probe waits.
CONNECT_SECONDS: Final = 5
# Without these settings, a statement would wait two hours for its answer if the network failed silently, and the thread
# that reads the gauges would wait as long. With them, a connection fails if the server's machine acknowledges nothing
# for 30 seconds; slow statements are not affected.
KEEPALIVES: Final = {
    "keepalives": 1, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,  # milliseconds, for data that was sent and not acknowledged
}  # fmt: skip
# Longer than the time-outs of a host's two addresses (IPv6 and IPv4), so the reason is known when the pool gives up.
POOL_SECONDS: Final = 3.0 * CONNECT_SECONDS
# Runs of a statement on a connection before the server keeps it prepared. This applies only to the statements of
# `sql.py`, because the ORM writes parameters into the text of its statements. A pooler must be in session mode anyway
# (`embedded/servers/external_servers.py`).
PREPARED_AFTER: Final = 2
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def public_address(value: str) -> str:
    """Return PUBLIC_URL as browsers send it in `Origin`: in lower case and without a default port.

    Raises ImproperlyConfigured if it is not the address of a web server.
    """
    parts = _split(value)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.username is not None:
        raise ImproperlyConfigured(
            f"PUBLIC_URL={value} is not a valid address. Use one such as https://help.example.com."
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    port = "" if parts.port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}{parts.path.rstrip('/')}"


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port
    except ValueError:  # for example, brackets without an IPv6 address, or a port that is not a number
        return None
    return parts


def require_web_address(name: str, value: str) -> None:
    """Raise ImproperlyConfigured if the value of the variable `name` is not the address of a web server."""
    parts = _split(value)
    if parts is None or parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        raise ImproperlyConfigured(f"{name} is not a valid address. Use one such as http://collector:4318.")


def cache_at(address: str) -> dict[str, Any]:
    """Return Django's cache settings for this address."""
    timeouts = {"socket_timeout": CACHE_SECONDS, "socket_connect_timeout": CACHE_SECONDS}
    return {"BACKEND": "supportbot.rate_counters.CountingRedisCache", "LOCATION": address, "OPTIONS": timeouts}


def database_at(address: str, offset: int) -> str:
    """Return the URL of the database whose number is `offset` higher than the one in `address` (by default, 0).

    The password and other options are kept. Raises ImproperlyConfigured if the scheme is not Redis's or the database is
    not a number.
    """
    parts = urlsplit(address)
    if parts.scheme not in ("redis", "rediss"):  # do not repeat the address, which may contain a password
        raise ImproperlyConfigured("REDIS_URL must be an address like redis://:secret@host:6379/0.")
    options = [option for option in parts.query.split("&") if option]
    # this takes precedence over the path
    named = [option.removeprefix("db=") for option in options if option.startswith("db=")]
    number = next(iter(named), parts.path.strip("/")) or "0"
    if not (number.isascii() and number.isdigit()):
        raise ImproperlyConfigured(
            f"The database in REDIS_URL, “{number}”, is not a number. Write it like redis://:secret@host:6379/0."
        )
    others = "&".join(option for option in options if not option.startswith("db="))
    return urlunsplit(parts._replace(path=f"/{int(number) + offset}", query=others))


def require_postgres(name: str, address: str) -> dict[str, Any]:
    """Return Django's settings for the PostgreSQL address in the variable `name`.

    Raises ImproperlyConfigured if it is not such an address or specifies no database: the server would then choose the
    one with the role's name.
    """
    try:
        is_postgres = urlsplit(address).scheme in ("postgres", "postgresql")
        found: dict[str, Any] = Env.db_url_config(address) if is_postgres else {}
    except ValueError as error:  # its message names the port or the bracket, never the password
        raise ImproperlyConfigured(f"{name} is not a valid address: {error}.") from error
    if not found:
        raise ImproperlyConfigured(f"{name} must be a PostgreSQL address, such as postgres://user:secret@host/name.")
    if not found.get("NAME") and "service" not in found.get("OPTIONS", {}):
        raise ImproperlyConfigured(
            f"{name} does not specify a database. Write it like postgres://user:secret@host/name."
        )
    return found


def postgres_at(address: str, *, most_connections: int) -> dict[str, Any]:
    """Return Django's database settings for this address. They include a pool if `most_connections` is not 0."""
    found = require_postgres("DATABASE_URL", address)
    options = dict(found.get("OPTIONS", {}))
    options["prepare_threshold"] = _prepared_after(options.get("prepare_threshold", PREPARED_AFTER))
    if "PGCONNECT_TIMEOUT" not in os.environ:
        options.setdefault("connect_timeout", CONNECT_SECONDS)
    if (host := str(found.get("HOST", ""))) and not host.startswith(("/", "@")):  # these are Unix sockets
        options = {**KEEPALIVES, **options}
    found |= {"ENGINE": "supportbot.postgresql", "OPTIONS": options}
    if not most_connections:
        return found
    # Without the last option, the pauses between attempts would grow to minutes, which would prolong an outage.
    options["pool"] = {
        "connection_class": PooledConnection, "min_size": 0, "max_size": most_connections,
        "timeout": POOL_SECONDS, "reconnect_timeout": POOL_SECONDS,
    }  # fmt: skip
    # After a server restart, the pool contains dead connections, each of which would fail one request without this
    # check. It costs a round trip per request; database threads keep their connections and do not need it (`async_db`).
    return {**found, "CONN_HEALTH_CHECKS": True}


def _prepared_after(given: object) -> int | None:
    """Return psycopg's `prepare_threshold`; None means never to prepare.

    Raises ImproperlyConfigured for an invalid value.
    """
    if str(given).lower() == "none":
        return None
    if not isinstance(given, int):
        raise ImproperlyConfigured("The option prepare_threshold of DATABASE_URL must be a number or none.")
    return given


def mail_at(address: str) -> dict[str, Any]:
    """Return Django's e-mail settings, by name, for this address."""
    try:
        found: dict[str, Any] = Env.email_url_config(address)
    except (ValueError, ImproperlyConfigured):
        found = {}
    if not found.get("EMAIL_HOST") and found.get("EMAIL_BACKEND") in (None, Env.EMAIL_SCHEMES["smtp"]):
        raise ImproperlyConfigured(  # leave out the error's message, which may contain the password
            "EMAIL_URL is not a valid address. Write it like smtp+tls://user:password@mail.example.com:587 and "
            "percent-encode every character of the password that is not a letter or a digit."
        )
    return found
