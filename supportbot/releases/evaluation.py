"""The evaluation of a draft by the gates: requests it, carries it out, and decides whether its verdict is still valid.

A worker evaluates a draft under a claim, which it keeps extending; otherwise, the claim ends after a minute. So an
evaluation may take hours, but if the worker dies, another one soon takes over.
"""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, override

from supportbot.accounts.models import Workspace
from supportbot.accounts.scope import workspace_scope
from supportbot.accounts.workspaces import stored_language
from supportbot.errors import SupportBotError
from supportbot.leases import extending
from supportbot.releases import ports
from supportbot.releases.errors import NoGates, NotADraft, NothingChanged
from supportbot.releases.models import DRAFT_STATES, MAX_REASON, Release
from supportbot.releases.selectors import gates, live_release, release_with_id

LEASE: Final = timedelta(minutes=1)
BEAT_SECONDS: Final = 15.0  # interval for extending a claim
LONGEST: Final = timedelta(hours=12)  # an evaluation that takes longer is stuck, so another worker may take it
SUITES: Final = "suites"  # the key in `RELEASES_REFERENCES` for the fingerprints of the gates' cases, by gate
LIVE: Final = "live"  # stands for the live release in the result of `changed_since`

logger = logging.getLogger(__name__)


@transaction.atomic
def request_evaluation(release_id: UUID) -> Release:
    """Have a worker run the gates on a draft. Raises NoGates, NotADraft, NothingChanged."""
    draft = locked_draft(release_id)
    if ports.judge() is None or not gates():
        raise NoGates(
            gettext("No suite is chosen as a gate. Publish the release without gates, or choose a gate first.")
        )
    if draft.digest == live_release().digest:
        raise NothingChanged()
    draft.judging_since, draft.judging_until, draft.judging_problem = timezone.now(), None, ""
    draft.save(update_fields=["judging_since", "judging_until", "judging_problem"])
    return draft


def evaluate(release_id: UUID) -> Release:
    """Run the gates on a draft and store their verdict on its current content. Takes minutes."""
    release, suites, judge = release_with_id(release_id), gates(), ports.judge()
    if judge is None or not suites:
        raise NoGates()
    if not release.is_draft:
        raise NotADraft()
    about = {
        "suites": suites,
        "digest": release.digest,
        "references": ports.references(release),
        "compared_with": live_release().digest,
        "began": timezone.now().isoformat(),
    }
    return _store_verdict(release_id, judge(Workspace.objects.get(pk=release.workspace_pk), release, suites), about)


def is_proven(release: Release) -> bool:
    """Return whether a release passed all current gates, with their current cases, when it was a draft, and was not
    published despite the gates. Other changes since then do not count: in an emergency, a release that was good is
    better than a bad one.
    """
    verdict = release.verdict
    if verdict is None or not verdict["passed"] or release.override_reason or not release.is_about(verdict["digest"]):
        return False
    if not set(gates()) <= set(verdict["suites"]):
        return False
    before, after = (marks.get(SUITES, {}) for marks in (verdict.get("references", {}), ports.references(release)))
    return all(before.get(name) == after.get(name) for name in gates())


def verdict_on(release: Release) -> Mapping[str, Any] | None:
    """Return the gates' verdict on a release's current content; None if they have not judged it."""
    verdict: Mapping[str, Any] | None = release.verdict
    if verdict is None or not release.is_about(verdict["digest"]) or verdict["suites"] != gates():
        return None
    return verdict


def changed_since(release: Release, verdict: Mapping[str, Any]) -> list[str]:
    """Return the names of what has changed since the verdict on a release: its references, such as `knowledge`, and
    `live` if it was compared with a different live release.
    """
    before = verdict.get("references", {})
    changed = [name for name, mark in ports.references(release).items() if before.get(name) != mark]
    return changed if verdict.get("compared_with") == live_release().digest else [*changed, LIVE]


@transaction.atomic
def _store_verdict(release_id: UUID, found: ports.Verdict, about: Mapping[str, Any]) -> Release:
    draft = locked_draft(release_id)
    facts = {name: list(map(str, value)) for name, value in asdict(found).items() if name != "passed"}
    at = timezone.now().isoformat()
    draft.verdict = {"passed": found.passed, **facts, **about, "at": at}
    draft.judging_since = draft.judging_until = None
    draft.judging_problem = ""
    if draft.digest == about["digest"]:
        draft.state = Release.State.EVALUATED
    draft.save(update_fields=["verdict", "state", "judging_since", "judging_until", "judging_problem"])
    return draft


def store_problem(release_id: UUID, problem: str) -> None:
    """Record why the gates did not judge a draft. "" means an internal error."""
    words = problem or gettext("The evaluation failed. See the worker's log.")
    drafts = Release.objects.filter(pk=release_id, state__in=DRAFT_STATES)
    drafts.update(judging_since=None, judging_until=None, judging_problem=words[:MAX_REASON])


def locked_draft(release_id: UUID) -> Release:
    release_with_id(release_id)
    draft: Release = Release.objects.select_for_update(no_key=True).get(pk=release_id)
    if not draft.is_draft:
        raise NotADraft()
    return draft


@dataclass(slots=True)
class Claim:
    """A worker's claim on the evaluation of a draft, until the time stored in the row."""

    workspace_id: UUID
    release_id: UUID
    until: datetime


def claim_waiting() -> Claim | None:
    """Claim a draft that is waiting for the gates, in any workspace, and return the claim; None if there is none."""
    now = timezone.now()
    is_free = Q(judging_until=None) | Q(judging_until__lt=now)
    waiting = Release.objects.filter(is_free, state__in=DRAFT_STATES, judging_since__isnull=False)
    for row in waiting.order_by("judging_since")[:5]:
        claim = Claim(row.workspace_pk, row.pk, now + LEASE)
        mine = Release.objects.filter(is_free, pk=row.pk, state__in=DRAFT_STATES, judging_since__isnull=False)
        if mine.update(judging_until=claim.until):
            return claim
    return None


def extend_claim(claim: Claim) -> None:
    """Extend a claim if it is still held; do nothing if it was lost or the draft went live."""
    until = timezone.now() + LEASE
    held = Release.objects.filter(pk=claim.release_id, state__in=DRAFT_STATES, judging_until=claim.until)
    if held.update(judging_until=until):
        claim.until = until


def judge_claimed(claim: Claim) -> None:
    """Evaluate a claimed draft, and extend the claim in the meantime. If a problem prevents the evaluation, it is
    stored in the draft.
    """
    release_id, extend = claim.release_id, partial(extend_claim, claim)
    with workspace_scope(claim.workspace_id), override(stored_language(claim.workspace_id)):
        try:
            with extending(extend, every=BEAT_SECONDS, longest=LONGEST, name=f"evaluation {release_id}"):
                evaluate(release_id)
        except SupportBotError as error:
            logger.warning("release %s was not judged: %s", release_id, error.code)
            store_problem(release_id, error.message)
        except Exception:
            # Catch every error: a broken suite must not leave the draft waiting forever.
            logger.exception("release %s was not judged", release_id)
            store_problem(release_id, "")
            raise
