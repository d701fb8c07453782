"""Makes the vectors of the gates' questions soon after gates are chosen or their cases change, so that the first
publication does not have to wait for them. The shared cache stores the vectors and a note that they exist.
"""

import hashlib
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.core.cache import cache

from kb.errors import EmbeddingUnavailable
from kb.indexing.recipes import name_in_use
from kb.indexing.vector_cache import KEPT_SECONDS, share_question_vectors
from supportbot.accounts.scope import across_workspaces, workspace_scope
from supportbot.evals.articles.article_gates import quotation_cases
from supportbot.evals.models import Suite
from supportbot.rate_counters import CACHE_AWAY
from supportbot.releases.errors import GateMissing
from supportbot.releases.selectors import gates_of_all

MOST: Final = 1_000  # questions per workspace
AT_ONCE: Final = 25  # questions stored together, so a failure loses little work
AGAIN_SECONDS: Final = 600  # the wait after a failure, because each attempt may cost money
_BUSY: Final = "gate-questions-busy"
_BUSY_SECONDS: Final = 300  # renewed after every few questions; a dead worker blocks the others for at most this long


def prepare_questions() -> int:
    """Make the missing vectors of the gate questions in all workspaces, and return the number of workspaces that needed
    some. Do nothing while another worker makes them.

    Vectors that cannot be made now are made by a later call, after ten minutes, or during the publication that needs
    them.
    """
    marks = _marks()
    try:
        known = cache.get_many(marks)
        due = [(workspace, mark) for mark, workspace in marks.items() if mark not in known]
        if not due or not cache.add(_BUSY, 1, timeout=_BUSY_SECONDS):
            return 0
        _prepare(due)
        cache.delete(_BUSY)
    except CACHE_AWAY:
        return 0
    return len(due)


def _prepare(due: Sequence[tuple[UUID, str]]) -> None:
    for workspace, mark in due:
        with workspace_scope(workspace):
            try:
                questions = list(dict.fromkeys(case.asks for _, case in quotation_cases()))[:MOST]
                for at in range(0, len(questions), AT_ONCE):
                    share_question_vectors(questions[at : at + AT_ONCE])
                    cache.touch(_BUSY, _BUSY_SECONDS)
                cache.set(mark, 1, timeout=KEPT_SECONDS // 2)  # expires before the vectors do
            except (EmbeddingUnavailable, GateMissing):
                cache.set(mark, 1, timeout=AGAIN_SECONDS)


def _marks() -> dict[str, UUID]:
    """Return the workspaces that have gates. The keys are fingerprints of everything that the vectors of their
    questions depend on: gates, cases and embedding model.
    """
    gates = gates_of_all()
    with across_workspaces("questions of gates"):
        rows = Suite.objects.filter(workspace_id__in=gates).values_list("workspace_id", "name", "updated_at")
        changed = {(workspace, name): at.isoformat() for workspace, name, at in rows}
    recipe = name_in_use()
    found = dict[str, UUID]()
    for workspace, suites in gates.items():
        state = "\0".join([recipe, *(f"{name}\0{changed.get((workspace, name), '')}" for name in suites)])
        found[f"gate-questions:{workspace}:{hashlib.sha256(state.encode()).hexdigest()}"] = workspace
    return found
