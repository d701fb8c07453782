"""Measure the size of an installation: a fresh environment from requirements.lock, as pip leaves it.

    python bench/install_size.py [--python python3.12] [--json]

Needs only Python with venv, and a package index. The exit code is 1 if a limit is exceeded.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

LOCK = Path(__file__).resolve().parent.parent / "requirements.lock"
LIMIT_MB = 520
LIMIT_PACKAGES = 105
LARGEST = 8
BLOCK_BYTES = 512  # the unit of st_blocks, whatever the file system's own block size is


@dataclass(frozen=True)
class Size:
    """The size of an environment, byte code included: 1 MiB is 2^20 bytes, 1 MB 10^6. The limit is on `disk_mb`."""

    disk_mib: int
    disk_mb: int
    content_mib: int
    content_mb: int
    packages: int
    largest_mb: dict[str, int]


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="supportbot-install-") as folder:
        began = time.monotonic()
        install(options.python, Path(folder))
        seconds = time.monotonic() - began
        size = measured(Path(folder))
    figures = {**asdict(size), "seconds": round(seconds, 1)}
    words = json.dumps(figures) if options.json else "\n".join(f"{name}: {value}" for name, value in figures.items())
    sys.stdout.write(words + "\n")
    return int(size.disk_mb > LIMIT_MB or size.packages > LIMIT_PACKAGES)


def install(python: str, folder: Path) -> None:
    """Install the packages as `make run` does."""
    subprocess.run([python, "-m", "venv", folder], check=True)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--require-hashes", "--only-binary", ":all:", "-r", str(LOCK)], check=True)


def measured(folder: Path) -> Size:
    packages = next(folder.glob("lib/python*/site-packages"))
    sizes = {entry.name: content_bytes(entry) for entry in packages.iterdir() if entry.is_dir()}
    largest = sorted(sizes, key=lambda name: -sizes[name])[:LARGEST]
    on_disk = sum(file.lstat().st_blocks * BLOCK_BYTES for file in folder.rglob("*"))
    content = content_bytes(folder)
    return Size(
        disk_mib=round(on_disk / 2**20),
        disk_mb=round(on_disk / 1e6),
        content_mib=round(content / 2**20),
        content_mb=round(content / 1e6),
        packages=len(list(packages.glob("*.dist-info"))),
        largest_mb={name: round(sizes[name] / 1e6) for name in largest},
    )


def content_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default=sys.executable, help="the interpreter to build the environment with")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
