"""The tables of defined actions.

Invariants, enforced by the database: a version's document never changes, it is published at most once, and published
versions are deleted only together with their workspace.
"""

from typing import Any

from django.db import models
from django.utils.timezone import now

from actions.definitions.key_order import in_entered_order
from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import TenantModel


class ActionDefinition(TenantModel):
    """One action of a workspace, defined as a document. `current` is the published version, even after the action has
    been switched off; a newer one may exist as a draft.
    """

    class State(models.TextChoices):
        DRAFT = "draft"  # never published
        PUBLISHED = "published"
        DISABLED = "disabled"

    class Origin(models.TextChoices):
        CONSOLE = "console"
        FILE = "file"
        OPENAPI = "openapi"
        MCP = "mcp"

    name = models.CharField(max_length=60)
    state = models.CharField(max_length=12, choices=State.choices, default=State.DRAFT)
    origin = models.CharField(max_length=12, choices=Origin.choices, default=Origin.CONSOLE)
    current = models.ForeignKey(
        "ActionDefinitionVersion", on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="action_definition_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "name"], name="action_definition_name_once"),
            models.CheckConstraint(
                condition=models.Q(state__in=["draft", "published", "disabled"]), name="action_definition_state_known"
            ),
            models.CheckConstraint(
                condition=models.Q(state="draft") | models.Q(current__isnull=False),
                name="action_definition_published_has_version",
            ),
            SameWorkspace("current", name="action_definition_current_workspace"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_unpublished(self) -> bool:
        """Whether no version was ever published, so that the action can be deleted."""
        return self.state == self.State.DRAFT and self.current_id is None


class ActionDefinitionVersion(TenantModel):
    """One saved document. `number` is the `spec_version` of requests made with it."""

    definition = models.ForeignKey(
        ActionDefinition, on_delete=models.CASCADE, related_name="versions", db_constraint=False
    )
    number = models.PositiveIntegerField()
    document = models.JSONField()
    # The names of arguments and their fields, as `key_order` writes them: the database does not keep their order.
    argument_order = models.TextField(blank=True, default="", db_default="")
    imported = models.JSONField(default=dict)  # further results of an import: its source, suggestions and notes
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=now, editable=False)
    published_by = models.CharField(max_length=120, blank=True)
    published_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="action_definition_version_in_workspace"),
            models.UniqueConstraint(fields=["definition", "number"], name="action_definition_version_once"),
            SameWorkspace("definition", name="action_definition_version_workspace"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"

    def in_entered_order(self) -> dict[str, Any]:
        """Return the document with its arguments and their fields in the order they were entered."""
        document: dict[str, Any] = self.document
        given = document.get("arguments")
        if not isinstance(given, dict) or not self.argument_order:
            return document
        ordered = in_entered_order(given, self.argument_order)
        return {name: ordered if name == "arguments" else value for name, value in document.items()}


class DefinitionCase(TenantModel):
    """A recorded case: with these arguments and records, the action must be allowed, or refused with this code."""

    definition = models.ForeignKey(
        ActionDefinition, on_delete=models.CASCADE, related_name="cases", db_constraint=False
    )
    name = models.CharField(max_length=120)
    sub = models.CharField(max_length=200)  # the customer's identity
    email = models.CharField(max_length=254, blank=True)
    arguments = models.JSONField(default=dict)
    records = models.JSONField(default=dict)  # by look-up, as the connection would answer; null for a missing record
    at = models.DateTimeField(null=True)  # the time of the case; null means now
    expected = models.CharField(max_length=60)  # "allowed", or the code of a refusal
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["definition", "name"], name="definition_case_name_once"),
            SameWorkspace("definition", name="definition_case_workspace"),
        ]

    def __str__(self) -> str:
        return self.name
