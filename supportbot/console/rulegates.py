"""The gates of a release, asked about action rules in the console: what they refuse, in words and for the audit log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.utils.translation import gettext, ngettext

from actions import audit
from actions.policy import Rules, allows_more
from supportbot.accounts.models import Workspace
from supportbot.console.words import sentence
from supportbot.evals.rules import MAX_SECONDS, judged
from supportbot.releases.errors import GateMissing
from supportbot.releases.selectors import gates

MAX_NAMED: Final = 5  # in a message
MAX_KEPT: Final = 50  # in the audit log


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the gates do not let rules pass: cases that would fail, cases not judged in time, or no such suite."""

    words: str
    failed: tuple[str, ...] = ()
    unjudged: tuple[str, ...] = ()


def refused(rules: Rules, was: Rules, action: str, *, workspace_id: UUID) -> Refusal | None:
    """Return why the gates refuse rules, if they do; what only forbids more is never refused."""
    if not allows_more(rules, was) or not gates():
        return None
    try:
        found = judged(rules, action, workspace=Workspace.objects.get(pk=workspace_id), seconds=MAX_SECONDS)
    except GateMissing as missing:
        return Refusal(sentence(missing))
    failed = [f"{one.name} ({', '.join(one.reasons)})" for one in found.failures]
    words = [_failing(failed)] * bool(failed) + [_too_slow(found.unjudged)] * bool(found.unjudged)
    names = tuple(one.name for one in found.failures)
    return Refusal(" ".join(words), names, found.unjudged) if words else None


def record_override(refusal: Refusal, *, action: str, reason: str, actor: str) -> None:
    """Write to the audit log that rules were changed although the gates refused, in the transaction of the change."""
    audit.record(
        "policy.changed_against_gates",
        actor=actor,
        action=action,
        override=reason,
        failed="; ".join(refusal.failed[:MAX_KEPT]),
        not_judged="; ".join(refusal.unjudged[:MAX_KEPT]),
    )


def _failing(cases: Sequence[str]) -> str:
    return gettext("Gate cases that must pass would fail: {names}.").format(names=_named(cases))


def _too_slow(cases: Sequence[str]) -> str:
    told = gettext(
        "The gates took longer than {seconds} seconds and did not judge: {names}. Try again when the shop answers "
        "faster, choose gates with fewer cases about actions, or give a reason for overriding the gates."
    )
    return told.format(seconds=f"{MAX_SECONDS:.0f}", names=_named(cases))


def _named(cases: Sequence[str]) -> str:
    more = len(cases) - MAX_NAMED
    left = [ngettext("{number} more", "{number} more", more).format(number=more)] * (more > 0)
    return "; ".join([*cases[:MAX_NAMED], *left])
