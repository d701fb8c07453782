"""What releases need from higher packages. A setting specifies each implementation."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

from django.conf import settings
from django.utils.module_loading import import_string

from supportbot.releases.document import Document
from supportbot.releases.selectors import using

if TYPE_CHECKING:
    from supportbot.accounts.models import Workspace
    from supportbot.releases.models import Release


@dataclass(frozen=True, slots=True)
class Verdict:
    """The gates' verdict on a release: the `must` cases that it fails, and the suites where it got worse."""

    passed: bool
    failed_must: tuple[str, ...] = ()
    regressions: tuple[str, ...] = ()
    run_ids: tuple[UUID, ...] = ()


class Judge(Protocol):
    """Runs suites on a release. The setting `RELEASES_GATE` specifies the function.

    It uses the release inside `selectors.using(release)`, takes minutes, and raises GateMissing if a suite does not
    exist.
    """

    def __call__(self, workspace: "Workspace", release: "Release", suites: Sequence[str]) -> Verdict: ...


class MissingSuites(Protocol):
    """Returns the names that no suite in the workspace has. The setting `RELEASES_MISSING_SUITES` specifies the
    function.
    """

    def __call__(self, names: Sequence[str], /) -> list[str]: ...


class Audit(Protocol):
    """Adds an audit entry in the current transaction. The setting `RELEASES_AUDIT` specifies the function."""

    def __call__(self, event: str, *, actor: str, **payload: Any) -> None: ...


# A function that returns the errors in a document by field, or {}. The second argument says whether it has been live.
# The setting `RELEASES_CHECKS` lists such functions.
Check = Callable[[Document, bool], Mapping[str, list[str]]]
# A function that returns fingerprints of what the release in force refers to, as JSON. The setting
# `RELEASES_REFERENCES` lists such functions.
Reference = Callable[[], Any]


def judge() -> Judge | None:
    """Return the judge of releases; None if this installation has none."""
    found: Judge | None = import_string(settings.RELEASES_GATE) if settings.RELEASES_GATE else None
    return found


def missing_suites(names: Sequence[str]) -> list[str]:
    found: MissingSuites = import_string(settings.RELEASES_MISSING_SUITES)
    return found(names)


def audit() -> Audit:
    found: Audit = import_string(settings.RELEASES_AUDIT)
    return found


def problems_of(document: Document, *, was_live: bool = False) -> dict[str, list[str]]:
    """Return the errors that higher packages find in a document, by field; for a document that has been live, only
    those that prevent its use.
    """
    found: dict[str, list[str]] = {}
    for name in settings.RELEASES_CHECKS:
        check: Check = import_string(name)
        found.update(check(document, was_live))
    return found


def references(release: "Release") -> dict[str, Any]:
    """Return the fingerprints of everything that a release refers to."""
    with using(release):
        return {name: import_string(path)() for name, path in settings.RELEASES_REFERENCES.items()}


def references_digest(release: "Release") -> str:
    """Return the hexadecimal SHA-256 digest of the `references`, which changes only if one of them does."""
    return digest_of(references(release))


def digest_of(marks: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(marks, sort_keys=True).encode()).hexdigest()
