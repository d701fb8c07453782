"""The demo's gates: suites that come with SupportBot, so that whatever is published in the demo is proven first."""

from typing import Final

from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.evals.models import Suite
from supportbot.evals.services import save_suite
from supportbot.evals.suite_files import SHIPPED, read_suite_file
from supportbot.releases.models import ReleaseGates
from supportbot.releases.services import name_gates

SUITES: Final = ("demo", "shop", "security", "languages")


def set_gates(workspace: Workspace) -> None:
    """Store the suites and choose them as gates, unless somebody has already evaluated anything here."""
    if Suite.objects.exists() or ReleaseGates.objects.exists():
        return
    for name in SUITES:
        save_suite(read_suite_file(SHIPPED / f"{name}.yaml"))
    name_gates(SUITES, person=Staff(workspace.pk, None, "setup", "admin", frozenset({"releases:write"})))
