"""The tables of releases.

Invariants, enforced by the database: a workspace has at most one live release. A release that has been live never
changes, except that it stops being live.
"""

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.models import TenantModel
from supportbot.releases.document import Document, digest, loaded, stored

MAX_REASON: Final = 300


class Release(TenantModel):
    """A version of everything that shapes a workspace's answers. `edits` counts the changes to a draft."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        EVALUATED = "evaluated", _("Evaluated")
        LIVE = "live", _("Live")
        REPLACED = "replaced", _("Replaced")

    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    document = models.JSONField()
    reason = models.CharField(max_length=300, blank=True)
    author_name = models.CharField(max_length=150, blank=True)
    based_on = models.PositiveIntegerField(null=True)  # the number of the release from which it was created
    restores = models.PositiveIntegerField(null=True)  # the number of the release that it restores
    edits = models.PositiveIntegerField(default=0)
    # Fingerprints of what it refers to: the versions of the action rules, and the state of the articles when it was
    # published.
    references = models.JSONField(default=dict)
    # The gates' verdict, with the digest of the document and the references at the time.
    verdict = models.JSONField(null=True)
    judging_since = models.DateTimeField(null=True)
    judging_until = models.DateTimeField(null=True)  # the lease of the worker that runs the gates
    judging_problem = models.CharField(max_length=300, blank=True)
    override_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now, editable=False)
    published_at = models.DateTimeField(null=True)
    published_by = models.CharField(max_length=150, blank=True)
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="release_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "number"], name="release_number_once"),
            models.UniqueConstraint(fields=["workspace"], condition=Q(state="live"), name="release_one_live"),
            models.CheckConstraint(
                condition=Q(state__in=["draft", "evaluated", "live", "replaced"]), name="release_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"Release {self.number}"

    @property
    def is_draft(self) -> bool:
        """Whether the release can still be changed, because it has never been live."""
        return self.state in DRAFT_STATES

    @property
    def contents(self) -> Document:
        return loaded(self.document)

    @property
    def digest(self) -> str:
        """The digest of the stored content. New fields in later versions of the product do not change it."""
        return digest(self.document)

    def is_about(self, recorded: str) -> bool:
        """Return whether a recorded digest matches this content. Earlier versions of the product recorded the digest of
        the content with their defaults for missing fields.
        """
        return recorded in (self.digest, digest(stored(self.contents)))


DRAFT_STATES = (Release.State.DRAFT, Release.State.EVALUATED)


class ReleaseGates(TenantModel):
    """The suites that every release of a workspace must pass. They are not part of a release, so that no release can
    remove its own gates.
    """

    suites = ArrayField(models.CharField(max_length=120), default=list)
    chosen_at = models.DateTimeField(null=True)  # when the first gate was chosen; null if an earlier version stored it

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="release_gates_once")]
