"""Create the dumps that tests/upgrade upgrades: populated databases of old versions, made from the git history.

    .venv/bin/python scripts/old_dumps.py            # takes a few minutes, as each version gets its own environment

Each version creates its own database, workspace and chats (tests/upgrade/fill_old.py). Files next to each dump list
what else a deployment of that version leaves behind: the names of its settings and of its tasks, and the messages in
its broker.
"""

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import redis

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TESTS = ROOT / "tests" / "upgrade"
VERSIONS = {"0.1.0": "ccde3d8", "196b70e": "196b70e"}
NAMES, MESSAGES = "names.json", "messages.json"
FIELD_KEYS = "dGVzdHMtb25seS1hbmQtbm93aGVyZS1lbHNlLTMyYnk="
_TASKS = (
    "import django; django.setup(); from supportbot.celery import app; app.loader.import_default_modules(); "
    "import json; print(json.dumps(sorted(n for n in app.tasks if not n.startswith('celery.'))))"
)


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "supportbot.settings")
    import django

    django.setup()
    from supportbot.embedded.servers.os_accounts import server_account

    with tempfile.TemporaryDirectory(prefix="supportbot-old-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        account = server_account()
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        for version, commit in VERSIONS.items():
            checkout = folder / commit
            subprocess.run(["git", "clone", "--quiet", "--no-checkout", str(ROOT), str(checkout)], check=True)
            subprocess.run(["git", "-C", str(checkout), "checkout", "--quiet", commit], check=True)
            subprocess.run(["sh", "scripts/environment.sh", "requirements.lock"], cwd=checkout, check=True)
            dump(version, checkout, folder / f"{commit}.servers")


def dump(version: str, checkout: Path, folder: Path) -> None:
    """Fill a database with the code of a checkout; write its dump, and the files that list its names and messages."""
    from supportbot.embedded.backup import dump_database
    from supportbot.embedded.servers.postgres import PostgresServer
    from supportbot.embedded.servers.valkey import ValkeyServer
    from tests.ports import reserved_port
    from tests.shop.process import ShopProcess

    folder.mkdir(mode=0o755)
    database = PostgresServer(folder / "postgres", password="old", port=None, log=folder / "pg.log", durable=False)
    valkey = ValkeyServer(folder / "valkey", password="old", port=None, log=folder / "valkey.log")
    shop = ShopProcess(folder / "shop", reserved_port())
    with ExitStack() as started:
        for server in (database, valkey, shop):
            server.start()
            started.callback(server.stop)
        environment = _environment(folder, database.url(), valkey.url()) | {"SHOP_PORT": str(shop.port)}
        _fill(checkout, folder, environment)
        dump_database(database.url(), TESTS / "data" / f"{version}.dump")
        _write(TESTS / "data" / f"{version}.{NAMES}", _names(checkout, environment))
        _write(TESTS / "data" / f"{version}.{MESSAGES}", _messages(valkey.url()))


def _messages(redis_url: str) -> dict[str, list[Any]]:
    """Return the messages of each queue."""
    with redis.Redis.from_url(f"{redis_url}/0") as broker:
        queues = sorted(broker.scan_iter("*", _type="list"))
        found = {name.decode(): [json.loads(one) for one in broker.lrange(name, 0, -1)] for name in queues}
    for message in itertools.chain.from_iterable(found.values()):
        message["headers"]["origin"] = "old"  # it contains the machine's name
    return found


def _write(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _environment(folder: Path, database_url: str, redis_url: str) -> dict[str, str]:
    from tests.shop.process import WEBHOOK_SECRET

    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    (folder / "data").mkdir()
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "supportbot.settings",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "old",
        "FIELD_KEYS": FIELD_KEYS,
        "DATA_DIR": str(folder / "data"),
        "SECRET": WEBHOOK_SECRET,
    }


def _fill(checkout: Path, folder: Path, environment: Mapping[str, str]) -> None:
    articles = folder / "articles"
    articles.mkdir()
    (articles / "returns.md").write_text("# Returns\n\nYou have 60 days to send something back.\n", encoding="utf-8")
    (articles / "care.md").write_text("# Rain jackets\n\nWash a rain jacket at 30 degrees.\n", encoding="utf-8")
    (articles / "tents.md").write_text("# Tents\n\nThe guarantee on a tent is five years.\n", encoding="utf-8")
    for command in (
        ["migrate", "--noinput"],
        ["workspace_create", "Harbour"],
        ["user_create", "maria", "--role", "agent", "--name", "Maria Lopez"],
        ["channel_create", "Web shop"],
        ["kb_import", str(articles)],
    ):
        _run(checkout, environment, "manage.py", *command)
    filling = (TESTS / "fill_old.py").read_text(encoding="utf-8")
    _run(checkout, environment, "manage.py", "shell", "-c", filling)


def _names(checkout: Path, environment: Mapping[str, str]) -> dict[str, list[str]]:
    settings = (checkout / "supportbot" / "settings.py").read_text(encoding="utf-8")
    return {
        "tasks": json.loads(_run(checkout, environment, "-c", _TASKS)),
        "settings": sorted(set(re.findall(r"env\.\w+\(\s*\"([A-Z_]+)\"", settings))),
    }


def _run(checkout: Path, environment: Mapping[str, str], *arguments: str) -> str:
    command = [str(checkout / ".venv" / "bin" / "python"), *arguments]
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)[:80]} failed in {checkout.name}: {done.stderr[-2000:]}")
    return done.stdout


if __name__ == "__main__":
    main()
