"""A temporary installation for benchmarks: an embedded PostgreSQL in a temporary folder, deleted after use.

`DATABASE_URL` selects a different server; its database must be empty and is not cleaned up.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def installation() -> Iterator[None]:
    """Run the block with Django set up on an empty, migrated database."""
    from supportbot.embedded.servers.os_accounts import server_account
    from supportbot.embedded.servers.postgres import PostgresServer

    folder = Path(tempfile.mkdtemp(prefix="supportbot-bench-"))
    account = server_account()
    if account is not None:  # the user that runs PostgreSQL cannot read root's temporary folder
        os.chown(folder, account.uid, account.gid)
    server = None
    try:
        if not os.environ.get("DATABASE_URL"):
            server = PostgresServer(
                folder / "postgres", password="bench", port=None, log=folder / "postgres.log", durable=False
            )
            server.start()
            os.environ["DATABASE_URL"] = server.url()
        _set_up(folder / "data")
        yield
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _set_up(data_dir: Path) -> None:
    data_dir.mkdir()
    os.environ.update(
        DATA_DIR=str(data_dir),
        SECRET_KEY="for-measurements-only",
        FIELD_KEYS="dGVzdHMtb25seS1hbmQtbm93aGVyZS1lbHNlLTMyYnk=",
        REDIS_URL="",
        CELERY_BROKER_URL="memory://",
        DJANGO_SETTINGS_MODULE="supportbot.settings",
    )
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
