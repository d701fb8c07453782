"""Changes releases: creates, edits and publishes drafts, restores older releases, and chooses the gates.

Invariant: a release goes live only under the lock on the workspace's live release, and only in place of the release it
was compared with. So one of two simultaneous publications is refused.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext

from supportbot.accounts.models import Workspace
from supportbot.accounts.principals import Staff
from supportbot.accounts.scope import current_workspace_id
from supportbot.errors import InvalidInput, NotAllowed
from supportbot.outbox.services import announce
from supportbot.releases import ports
from supportbot.releases.document import Document, parsed, stored
from supportbot.releases.errors import (
    AnotherWentLive,
    GateMissing,
    GateRefused,
    NoGates,
    NotEvaluated,
    NothingChanged,
    NothingToRestore,
    NotProven,
    ReleaseChanged,
    VerdictOutdated,
)
from supportbot.releases.evaluation import changed_since, is_proven, locked_draft, verdict_on
from supportbot.releases.models import MAX_REASON, Release, ReleaseGates
from supportbot.releases.selectors import forget, gates, live_release, next_number, release_with_id

OVERRIDE: Final = "releases:override"
RESTORED: Final = "release_restored"  # the topic of an announcement
MAX_NAMES_SHOWN, MAX_NAME_CHARACTERS_SHOWN = 10, 60  # of suites, in an error


@transaction.atomic
def create_draft(*, person: Staff, made_from: UUID | None = None, document: object = None) -> Release:
    """Create a draft from a release (by default, the live one) with the given fields replaced."""
    live = _locked_live()
    first = release_with_id(made_from) if made_from else live
    contents = first.contents if document is None else _merged(first.contents, document, person)
    draft = Release(number=next_number(), document=stored(contents), based_on=first.number, author_name=person.name)
    draft.save(force_insert=True)
    return draft


@transaction.atomic
def change_draft(
    release_id: UUID, document: object, *, person: Staff, edits: int | None = None, reason: str | None = None
) -> Release:
    """Change the given fields of a draft.

    Raises NotADraft, InvalidInput, and ReleaseChanged if `edits` is not the draft's current number of changes.
    """
    draft = locked_draft(release_id)
    if edits is not None and edits != draft.edits:
        raise ReleaseChanged()
    draft.document = stored(_merged(draft.contents, document, person))
    draft.reason = draft.reason if reason is None else _reason(reason, is_needed=False)
    draft.state, draft.edits, draft.changed_at = Release.State.DRAFT, draft.edits + 1, timezone.now()
    draft.save(update_fields=["document", "reason", "state", "edits", "changed_at"])
    return draft


@transaction.atomic
def discard(release_id: UUID) -> None:
    """Delete a draft. Raises NotADraft if the release has been live."""
    locked_draft(release_id).delete()


@transaction.atomic
def publish(
    release_id: UUID, *, person: Staff, instead_of: int, reason: str, override: str = "", edits: int | None = None
) -> Release:
    """Make a draft live in place of release number `instead_of`, which the person has compared it with.

    If the gates have rejected the draft or not judged it, `override` is the reason for publishing it anyway, which
    requires a right. Raises AnotherWentLive, ReleaseChanged, NotADraft, NothingChanged, NotEvaluated, VerdictOutdated,
    GateRefused, GateMissing, NotAllowed or InvalidInput.
    """
    live = _locked_live()
    draft = locked_draft(release_id)
    if live.number != instead_of:
        raise AnotherWentLive()
    if edits is not None and edits != draft.edits:
        raise ReleaseChanged()
    if draft.digest == live.digest:
        raise NothingChanged()
    reason = _reason(reason, is_needed=True)
    _check_document(draft.contents)
    overridden = _pass_gates(draft, person, override)
    draft.reason, draft.override_reason = reason, overridden
    _go_live(draft, live, person)
    facts: dict[str, Any] = {"release": draft.number, "instead_of": live.number, "reason": reason}
    if overridden:
        facts["override"] = overridden
    event = "release.published_against_gates" if overridden else "release.published"
    ports.audit()(event, actor=person.actor, **facts)
    return draft


@transaction.atomic
def restore(release_id: UUID, *, person: Staff, instead_of: int, reason: str, override: str = "") -> Release:
    """Restore an older release as a new one, which goes live at once. The suites run only afterwards (announced as
    `release_restored`), because undoing a publication must not wait for them.

    If the release is not proven (`is_proven`), `override` is the reason for restoring it anyway, which requires a
    right. Raises AnotherWentLive, NothingToRestore, NotProven, NotAllowed or InvalidInput.
    """
    live, older = _locked_live(), release_with_id(release_id)
    if live.number != instead_of:
        raise AnotherWentLive()
    if older.state != Release.State.REPLACED:
        raise NothingToRestore()
    reason = _reason(reason, is_needed=True)
    _check_document(older.contents, was_live=True)
    overridden = _pass_unproven(older, person, override)
    restored = Release(
        number=next_number(),
        document=older.document,
        based_on=older.number,
        restores=older.number,
        author_name=person.name,
        reason=reason,
        verdict=older.verdict,
        override_reason=overridden,
    )
    _go_live(restored, live, person)
    facts: dict[str, Any] = {"release": restored.number, "restores": older.number, "reason": reason}
    if overridden:
        facts["override"] = overridden
    event = "release.restored_against_gates" if overridden else "release.restored"
    ports.audit()(event, actor=person.actor, **facts)
    if gates():
        announce(RESTORED, restored.pk, workspace_id=restored.workspace_pk)
    return restored


def _pass_unproven(older: Release, person: Staff, override: str) -> str:
    """Return the reason for restoring an unproven release; "" if it is proven or there are no gates. Raises NotProven,
    NotAllowed.
    """
    if not gates() or is_proven(older):
        return ""
    if not override.strip():
        raise NotProven()
    if not person.may(OVERRIDE):
        raise NotAllowed(gettext("Your role does not allow restoring a release that has not passed the gates."))
    return _reason(override, is_needed=True, name="override")


@transaction.atomic
def name_gates(suites: Sequence[str], *, person: Staff) -> list[str]:
    """Choose the suites that every release must pass.

    Raises NoGates if this installation cannot run suites, and InvalidInput if a suite does not exist.
    """
    chosen = list(dict.fromkeys(name.strip() for name in suites if name.strip()))
    if chosen and ports.judge() is None:
        raise NoGates()
    if missing := ports.missing_suites(chosen):
        problem = gettext("These suites do not exist: {names}. Create or import them under Evaluations first.")
        shown = ", ".join(name[:MAX_NAME_CHARACTERS_SHOWN] for name in missing[:MAX_NAMES_SHOWN])
        raise InvalidInput(fields={"suites": [problem.format(names=shown)]})
    before = gates()
    begun = {} if before else {"chosen_at": timezone.now()}
    ReleaseGates.objects.update_or_create(workspace_id=current_workspace_id(), defaults={"suites": chosen, **begun})
    if chosen != before:
        facts = {"before": ", ".join(before), "after": ", ".join(chosen)}
        ports.audit()("release.gates_changed", actor=person.actor, **facts)
    return chosen


def _pass_gates(draft: Release, person: Staff, override: str) -> str:
    """Return the reason for overriding the gates; "" if they accept the draft or there are none."""
    named = gates()
    if not named:
        return ""
    missing, verdict = ports.missing_suites(named), verdict_on(draft)
    is_passed = verdict is not None and verdict["passed"]
    is_outdated = verdict is not None and is_passed and bool(changed_since(draft, verdict))
    if is_passed and not missing and not is_outdated:
        return ""
    if missing and not override.strip():
        problem = gettext("The suites of these gates were deleted: {names}. Choose the gates again, then evaluate.")
        raise GateMissing(problem.format(names=", ".join(missing)))
    if not override.strip() and is_outdated:
        raise VerdictOutdated()
    if not override.strip():
        raise NotEvaluated(draft.judging_problem or None) if verdict is None else GateRefused(_why(verdict))
    if not person.may(OVERRIDE):
        raise NotAllowed(gettext("Your role does not allow publishing despite failing gates."))
    return _reason(override, is_needed=True, name="override")


def _why(verdict: Mapping[str, Any]) -> str:
    if verdict["failed_must"]:
        named = ", ".join(verdict["failed_must"][:5])
        return gettext("This release fails cases that must pass: {names}. Correct it, then evaluate again.").format(
            names=named
        )
    named = ", ".join(verdict["regressions"][:5])
    sentence = gettext("This release gives worse answers than the live one: {names}. Correct it, then evaluate again.")
    return sentence.format(names=named)


def _go_live(release: Release, live: Release, person: Staff) -> None:
    Release.objects.filter(pk=live.pk).update(state=Release.State.REPLACED, replaced_at=timezone.now())
    release.state, release.published_at = Release.State.LIVE, timezone.now()
    release.published_by, release.references = person.name, ports.references(release)
    # if an evaluation is still running, it has nothing left to judge
    release.judging_since = release.judging_until = None
    release.save()
    forget(live.workspace_pk)
    transaction.on_commit(partial(forget, live.workspace_pk))


def _locked_live() -> Release:
    """Return the live release, locked until the transaction ends and read again after waiting for the lock."""
    live_release()
    Workspace.objects.select_for_update(no_key=True).get(pk=current_workspace_id())
    return live_release()


def _merged(before: Document, changes: object, person: Staff) -> Document:
    """Return a document with the given fields changed. New guidelines get this person as their author."""
    if not isinstance(changes, Mapping):
        return parsed(changes)
    written = stored(before)
    after = parsed({**written, **changes})
    _check_document(after)
    authors = {(one.when, one.do): one.author for one in before.guidelines}
    signed = [
        {**one, "author": authors.get((one["when"], one["do"])) or person.name} for one in stored(after)["guidelines"]
    ]
    return parsed({**stored(after), "guidelines": signed})


def _check_document(document: Document, *, was_live: bool = False) -> None:
    problems = ports.problems_of(document, was_live=was_live)
    if problems:
        raise InvalidInput(fields=problems)


def _reason(text: str, *, is_needed: bool, name: str = "reason") -> str:
    reason = " ".join(text.split())
    if is_needed and not reason:
        raise InvalidInput(fields={name: [gettext("Explain why, briefly.")]})
    if len(reason) > MAX_REASON:
        raise InvalidInput(fields={name: [gettext("Use at most {limit} characters.").format(limit=MAX_REASON)]})
    return reason
