"""Write the secrets of an installation into a folder, one file each, unless they already exist.

    python make_secrets.py FOLDER OWNER_FOLDER [--database-host postgres] [--redis-host valkey]

`entrypoint.sh` reads those that are settings. OWNER_FOLDER is for the database and its migrations: it contains the
password of the role that owns the tables. Keep a copy of both folders: without FIELD_KEYS, stored secrets cannot be
decrypted.
"""

import argparse
import secrets
from base64 import urlsafe_b64encode
from pathlib import Path

OWNER = DATABASE = "supportbot"
APPLICATION = "supportbot_app"  # created by `migrate`; it can only work with rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("owner_folder", type=Path)
    parser.add_argument("--database-host", default="postgres")
    parser.add_argument("--redis-host", default="valkey")
    chosen = parser.parse_args()
    chosen.folder.mkdir(parents=True, exist_ok=True)
    chosen.owner_folder.mkdir(parents=True, exist_ok=True)
    server = f"{chosen.database_host}:5432/{DATABASE}"
    owner = _keep(chosen.owner_folder / "postgres_password", secrets.token_urlsafe(32))
    _keep(chosen.owner_folder / "DATABASE_OWNER_URL", f"postgres://{OWNER}:{owner}@{server}")
    valkey = _keep(chosen.folder / "valkey_password", secrets.token_urlsafe(32))
    _keep(chosen.folder / "SECRET_KEY", secrets.token_urlsafe(48))
    _keep(chosen.folder / "FIELD_KEYS", urlsafe_b64encode(secrets.token_bytes(32)).decode())
    _keep(chosen.folder / "METRICS_TOKEN", secrets.token_urlsafe(32))
    _keep(chosen.folder / "DATABASE_URL", f"postgres://{APPLICATION}:{secrets.token_urlsafe(32)}@{server}")
    _keep(chosen.folder / "REDIS_URL", f"redis://:{valkey}@{chosen.redis_host}:6379")
    # A broker must not lose tasks, neither when memory is short nor when it restarts.
    configured = f"requirepass {valkey}\nappendonly yes\nmaxmemory-policy noeviction\ndir /data\n"
    _keep(chosen.folder / "valkey.conf", configured)


def _keep(file: Path, content: str) -> str:
    """Return the file's content; if there is no file, create it atomically."""
    if not file.exists():
        part = file.with_name(f".{file.name}.part")
        part.write_text(content, encoding="utf-8")
        part.chmod(0o644)  # each server reads its files as its own user; the folder is not mounted anywhere else
        part.replace(file)
    return file.read_text(encoding="utf-8")


if __name__ == "__main__":
    main()
