"""The demo's gates: suites that come with SupportBot, so that whatever is published in the demo is proven first. The
vectors of what their cases compare come with it, too.
"""

from typing import Final

from django.conf import settings
from django.db import transaction

from kb.errors import RecipeMismatch
from kb.indexing.shared_vectors import share
from kb.indexing.vectorcache import VectorCache
from kb.ports import embedder
from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.evals.models import Suite
from supportbot.evals.services import save_suite
from supportbot.evals.suite_files import SHIPPED, read_suite_file
from supportbot.releases.models import ReleaseGates
from supportbot.releases.services import name_gates

SUITES: Final = ("demo", "shop", "security", "languages")
COMPARED: Final = settings.BASE_DIR / "examples" / "knowledge" / "compared.e5"  # from scripts/demo_vectors.py


@transaction.atomic  # a suite left behind without gates would pass for somebody's own
def set_gates(workspace: Workspace) -> None:
    """Store the suites and choose them as gates, unless somebody has already evaluated anything here."""
    if Suite.objects.exists() or ReleaseGates.objects.exists():
        return
    for name in SUITES:
        save_suite(read_suite_file(SHIPPED / f"{name}.yaml"))
    name_gates(SUITES, person=Staff(workspace.pk, None, "setup", "admin", frozenset({"releases:write"})))


def share_vectors() -> None:
    """Put the shipped vectors of what the cases compare into the cache: the first publication need not make them."""
    try:
        share(VectorCache(COMPARED, embedder().recipe))
    except RecipeMismatch:  # these belong to another embedding model
        return
