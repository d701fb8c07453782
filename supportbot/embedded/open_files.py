"""How many files and sockets a process may open at once."""

import resource
from contextlib import suppress
from typing import Final

from django.utils.translation import gettext

from supportbot.installation.errors import StartRefused
from supportbot.installation.start_plan import Plan

# More than a web process can serve, and few enough for children that close every possible file descriptor.
MOST: Final = 65_536
# With fewer, a few hundred chats use them up: see docs/deploy.md.
FEWEST: Final = 4_096


def raise_limit() -> None:
    """Let this process open as many files as the system allows, up to `MOST`.

    Shells and systemd grant 1024. Programs that do not use select() are expected to raise this number themselves.
    """
    now, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _most(allowed)
    if now == resource.RLIM_INFINITY or now >= wanted:
        return
    with suppress(ValueError, OSError):  # macOS has a lower limit of its own
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, allowed))


def check_open_files(plan: Plan) -> str:
    """Return how many files a web process may open. Raises StartRefused if that is too few."""
    most = _most(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    if most < FEWEST:
        raise StartRefused(
            gettext(
                "A process may open only {number} files and sockets, which is enough for only a few hundred chats. "
                "Allow at least {fewest}: nofile in /etc/security/limits.conf, LimitNOFILE under systemd, ulimits in a "
                "container."
            ).format(number=most, fewest=FEWEST)
        )
    return str(most)


def _most(allowed: int) -> int:
    return MOST if allowed == resource.RLIM_INFINITY else min(allowed, MOST)
