"""What a start has to do, according to its environment."""

import os
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from django.conf import settings

# From this machine, a server that listens on all interfaces is reached at its loopback address.
_LOOPBACK_OF = {"0.0.0.0": "127.0.0.1", "::": "::1"}


@dataclass(frozen=True)
class Plan:
    """The addresses to serve on, and the URLs of servers to use instead of the embedded ones."""

    data_dir: Path
    host: str
    port: int
    shop_port: int
    public_url: str
    database_url: str | None
    redis_url: str | None
    broker_url: str | None
    embedder: str
    with_demo: bool
    web_processes: int = 1
    database_owner_url: str | None = None  # None means that the role of database_url owns the tables

    @property
    def owner_url(self) -> str:
        """Return the URL for the operator's database and the role that owns its tables; "" if the database is
        embedded.
        """
        return self.database_owner_url or self.database_url or ""

    @property
    def owner_variable(self) -> str:
        """Return the name of the variable that `owner_url` comes from."""
        return "DATABASE_OWNER_URL" if self.database_owner_url else "DATABASE_URL"

    @property
    def is_local(self) -> bool:
        return is_loopback(self.host)

    @property
    def base_url(self) -> str:
        return self.public_url or self.local_url

    @property
    def local_url(self) -> str:
        """The address that the supervisor uses to check the web server."""
        host = _LOOPBACK_OF.get(self.host, self.host)
        return f"http://{_bracketed(host)}:{self.port}"

    @property
    def shop_url(self) -> str:
        return f"http://127.0.0.1:{self.shop_port}"


def plan_from_environment(*, with_demo: bool = True) -> Plan:
    return Plan(
        data_dir=Path(settings.DATA_DIR),
        host=settings.HOST,
        port=settings.PORT,
        shop_port=settings.SHOP_PORT,
        public_url=settings.PUBLIC_URL,
        # Not taken from the settings, which fall back to the servers of a running instance.
        database_url=os.environ.get("DATABASE_URL") or None,
        redis_url=os.environ.get("REDIS_URL") or None,
        broker_url=os.environ.get("CELERY_BROKER_URL") or None,
        embedder=settings.KB_EMBEDDER,
        with_demo=with_demo,
        web_processes=settings.WEB_PROCESSES,
        database_owner_url=os.environ.get("DATABASE_OWNER_URL") or None,
    )


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
