"""The tables of sources.

Invariants, enforced by the database:
- a source has at most one run that is under way or waits for a person;
- an item's key occurs once per source, so that an address or a path never becomes two articles.

An item exists as long as its source: it contains what the next run compares with. A run takes the items one by one
(`run`, `state`), so that a killed run continues where it stopped.
"""

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import TenantModel

SITE: Final = "site"
FOLDER: Final = "folder"
UPLOADS: Final = "uploads"


class Source(TenantModel):
    """A place that articles are read from."""

    class Schedule(models.TextChoices):
        NEVER = "never", _("Only on request")
        HOURLY = "hourly", _("Every hour")
        DAILY = "daily", _("Every day")
        WEEKLY = "weekly", _("Every week")

    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=20)  # a key of kb.sources.kinds
    address = models.CharField(max_length=2000, blank=True)
    collection = models.ForeignKey(
        "kb.Collection", on_delete=models.RESTRICT, related_name="sources", db_constraint=False
    )
    # "" leaves it to the documents; otherwise, all documents get these readers.
    audience = models.CharField(max_length=10, blank=True)
    publishes = models.BooleanField(default=True)  # if False, new texts become drafts
    config = models.JSONField(default=dict, blank=True)
    memory = models.JSONField(default=dict, blank=True)
    delay_seconds = models.FloatField(default=0.5)
    allows_private = models.BooleanField(default=False)  # can be set only by an operator's command
    schedule = models.CharField(max_length=10, choices=Schedule, default=Schedule.NEVER)
    due_at = models.DateTimeField(null=True, blank=True)  # the time of the next scheduled run
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="kb_source_id_workspace"),
            models.CheckConstraint(
                condition=Q(schedule__in=["never", "hourly", "daily", "weekly"]), name="kb_source_schedule_known"
            ),
            SameWorkspace("collection", name="kb_source_same_workspace"),
        ]
        indexes = [models.Index(fields=["due_at"], condition=Q(due_at__isnull=False), name="kb_source_due")]

    def __str__(self) -> str:
        return self.name


class SourceRun(TenantModel):
    """One reading of a source. `lease_until` is the end of a worker's lease; without it, any worker may take the
    run.
    """

    class Mode(models.TextChoices):
        SYNC = "sync"
        CHECK = "check"  # a dry run, which only reports
        RETRY = "retry"  # reads single items again

    class State(models.TextChoices):
        QUEUED = "queued"
        RUNNING = "running"
        UNCONFIRMED = (
            "unconfirmed"  # everything is done except archiving: so much is gone that a person must confirm it
        )
        DONE = "done"
        FAILED = "failed"
        CANCELLED = "cancelled"

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="runs", db_constraint=False)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.SYNC)
    state = models.CharField(max_length=12, choices=State, default=State.QUEUED)
    reason = models.TextField(blank=True)
    counts = models.JSONField(default=dict, blank=True)
    is_listed = models.BooleanField(default=False)
    asks_gates = models.BooleanField(default=False, db_default=False)  # texts that fail the gates are not changed
    lease_until = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)  # when to continue, if the site asked us to wait
    asked_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, related_name="+", null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="kb_sourcerun_id_workspace"),
            models.UniqueConstraint(
                fields=["source"],
                condition=Q(state__in=["queued", "running", "unconfirmed"]),
                name="kb_sourcerun_one_open",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running", "unconfirmed", "done", "failed", "cancelled"]),
                name="kb_sourcerun_state_known",
            ),
            SameWorkspace("source", name="kb_sourcerun_same_workspace"),
        ]
        indexes = [
            models.Index(fields=["state"], condition=Q(state__in=["queued", "running"]), name="kb_sourcerun_under_way")
        ]

    @property
    def is_under_way(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)

    @property
    def is_open(self) -> bool:
        return self.is_under_way or self.state == self.State.UNCONFIRMED


class SourceItem(TenantModel):
    """One page or file of a source, with its result in the latest run."""

    class State(models.TextChoices):
        QUEUED = "queued", _("Queued")
        READING = "reading", _("Reading")
        CUTTING = "cutting", _("Splitting")
        EMBEDDING = "embedding", _("Embedding")
        READY = "ready", _("Ready")
        UNCHANGED = "unchanged", _("Unchanged")
        FAILED = "failed", _("Failed")
        GONE = "gone", _("Gone")
        LEFT_OUT = "left_out", _("Skipped")

    class Outcome(models.TextChoices):
        """The result of a run for an item; a dry run has the same results."""

        NEW = "new", _("New")
        CHANGED = "changed", _("Changed")
        UNCHANGED = "unchanged", _("Unchanged")
        GONE = "gone", _("Gone")
        BROKEN = "broken", _("Failed to read")
        LEFT_OUT = "left_out", _("Skipped")

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="items", db_constraint=False)
    run = models.ForeignKey(SourceRun, on_delete=models.SET_NULL, related_name="items", null=True, blank=True)
    key = models.CharField(max_length=2000)  # an address or a path
    depth = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=10, choices=State, default=State.QUEUED)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    reason = models.TextField(blank=True)  # text in the workspace's language
    title = models.CharField(max_length=300, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)  # attempts in this run
    etag = models.CharField(max_length=300, blank=True)
    last_modified = models.CharField(max_length=100, blank=True)
    content_hash = models.CharField(max_length=80, blank=True)
    text_hash = models.CharField(max_length=64, blank=True)  # the same text under two addresses is published once
    # The content that a dry run has fetched, compressed, with its metadata: the next run need not fetch it again.
    held = models.BinaryField(null=True, blank=True)
    held_facts = models.JSONField(default=dict, db_default={}, blank=True)
    # For the PDF and Word files in a zip file: their digest, the hash of their text, and what was left out.
    entries = models.JSONField(default=dict, db_default={}, blank=True)
    # What was left out of the content that was stored last; reported again while the content is unchanged.
    notes = models.TextField(default="", db_default="", blank=True)
    # Ids of articles. `vanished` ones were archived because the content no longer has them; any item may bring them
    # back. `refused` ones were not written because another item had them; once it no longer does, the content is read
    # again.
    vanished = ArrayField(models.CharField(max_length=400), null=True, blank=True)
    refused = ArrayField(models.CharField(max_length=400), null=True, blank=True)
    imported_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)  # when it was found to be gone; None if it is there
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["depth", "id"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="kb_sourceitem_id_workspace"),
            models.UniqueConstraint(fields=["source", "key"], name="kb_sourceitem_key_once"),
            SameWorkspace("source", name="kb_sourceitem_same_workspace"),
        ]
        indexes = [
            models.Index(fields=["run", "state", "depth", "id"], name="kb_sourceitem_next"),
            models.Index(fields=["source", "text_hash"], name="kb_sourceitem_text"),
        ]

    def __str__(self) -> str:
        return self.key


class SourceFile(TenantModel):
    """An uploaded file. It is kept so that a later version of SupportBot can read it again, perhaps better."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="files", db_constraint=False)
    path = models.CharField(max_length=400)
    content = models.BinaryField()
    size = models.PositiveIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["path"]
        constraints = [
            models.UniqueConstraint(fields=["source", "path"], name="kb_sourcefile_path_once"),
            SameWorkspace("source", name="kb_sourcefile_same_workspace"),
        ]

    def __str__(self) -> str:
        return self.path


class SourcePicture(TenantModel):
    """A picture that was fetched from a site, recorded so that it is fetched again only if it has changed."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="pictures", db_constraint=False)
    url = models.CharField(max_length=2000)
    etag = models.CharField(max_length=300, blank=True)
    last_modified = models.CharField(max_length=100, blank=True)
    digest = models.CharField(max_length=40)  # digest of the stored picture
    file_digest = models.CharField(max_length=40, default="", db_default="")
    # A small picture without a description is a decoration, and is not stored.
    is_small = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "url"], name="kb_sourcepicture_url_once"),
            SameWorkspace("source", name="kb_sourcepicture_same_workspace"),
        ]

    def __str__(self) -> str:
        return self.url


ACTIVE: Final = (SourceRun.State.QUEUED, SourceRun.State.RUNNING)
OPEN: Final = (*ACTIVE, SourceRun.State.UNCONFIRMED)
COMPARED_BY_ORIGIN: Final = ("content_hash", "etag", "last_modified")
COMPARED: Final = (*COMPARED_BY_ORIGIN, "text_hash")  # `entries` count only together with `content_hash`
