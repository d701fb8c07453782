"""The tables of guarded actions.

Invariants, enforced by the database:
- a request starts as proposed, follows the transitions in `states` and keeps its terms (trigger);
- a proposal key belongs to one request; equal intents share at most one open request;
- a request has at most one ledger entry, in the request's workspace;
- policy versions, versions of definitions and audit entries never change; the audit trail is deleted only together with
  its workspace. Customer, conversation and proposal key are plain values, because financial records outlive the erasure
  of a chat.
"""

from datetime import datetime
from decimal import Decimal

from django.contrib.postgres.indexes import OpClass
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _
from guardian.models import GroupObjectPermissionBase, UserObjectPermissionBase

from actions.connections.models import Connection  # noqa: F401  # a table of this app
from actions.definitions.models import (  # noqa: F401  # tables of this app
    ActionDefinition,
    ActionDefinitionVersion,
    DefinitionCase,
)
from actions.states import OPEN, UNDOING, State
from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.encrypted_fields import EncryptedTextField
from supportbot.accounts.models import TenantModel

APPROVE = "approve_action"
MAX_ORDER_ID = 60
MAX_SUBJECT_ID = 200
MAX_HOLD_MINUTES = 7 * 24 * 60


def _amount(*validators: MinValueValidator) -> "models.DecimalField[Decimal | None, Decimal | None]":
    """Return a column for money: up to nine digits and three decimals; `money.format_amount` uses the currency's own
    decimals.
    """
    return models.DecimalField(max_digits=12, decimal_places=3, null=True, blank=True, validators=validators)


class MerchantConnection(TenantModel):
    """The merchant API of the workspace, and the secret that signs our calls to it."""

    base_url = models.URLField(max_length=300)
    secret = EncryptedTextField()
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="merchant_connection_once")]

    def __str__(self) -> str:
        return self.base_url


class ActionPolicy(TenantModel):
    """One workspace's rules for one action. Approval rights and the kill switch belong to it."""

    action = models.CharField(max_length=60)
    is_enabled = models.BooleanField(default=True)
    current = models.ForeignKey(
        "ActionPolicyVersion", on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )

    class Meta:
        permissions = [(APPROVE, "May approve requests of this action")]
        verbose_name_plural = "action policies"
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="action_policy_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "action"], name="action_policy_once"),
            SameWorkspace("current", name="action_policy_current_workspace"),
        ]

    def __str__(self) -> str:
        return self.action


class ActionPolicyUserPermission(UserObjectPermissionBase):
    """A person's right on a policy. This is a direct table, because guardian's generic tables compare text keys, which
    is slow.
    """

    content_object = models.ForeignKey(ActionPolicy, on_delete=models.CASCADE)


class ActionPolicyGroupPermission(GroupObjectPermissionBase):
    content_object = models.ForeignKey(ActionPolicy, on_delete=models.CASCADE)


class ActionPolicyVersion(TenantModel):
    """One version of a policy's rules; every change is a new row. NULL means no limit; amounts are in `currency`."""

    policy = models.ForeignKey(ActionPolicy, on_delete=models.CASCADE, related_name="versions", db_constraint=False)
    number = models.PositiveIntegerField()
    currency = models.CharField(max_length=3)
    max_per_order = _amount(MinValueValidator(0))
    max_per_customer_day = _amount(MinValueValidator(0))
    max_per_customer_year = _amount(MinValueValidator(0))
    max_per_workspace_day = _amount(MinValueValidator(0))
    max_requests_per_customer_day = models.PositiveIntegerField(null=True, blank=True)
    approval_above = _amount(MinValueValidator(0))
    second_approval_above = _amount(MinValueValidator(0))
    hold_minutes = models.PositiveIntegerField(null=True, blank=True, validators=[MaxValueValidator(MAX_HOLD_MINUTES)])
    window_days = models.PositiveIntegerField(null=True, blank=True)
    is_shadow = models.BooleanField(default=False)
    created_by = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="action_policy_version_in_workspace"),
            models.UniqueConstraint(fields=["policy", "number"], name="action_policy_version_once"),
            SameWorkspace("policy", name="action_policy_version_workspace"),
        ]

    def __str__(self) -> str:
        return f"version {self.number}"


class ActionRequest(TenantModel):
    """One requested action, from its proposal to a final, truthful state."""

    customer_id = models.UUIDField()
    conversation_id = models.UUIDField(null=True)
    proposal_key = models.CharField(max_length=200)
    undoes = models.UUIDField(null=True)  # the request that this one undoes
    action = models.CharField(max_length=60)
    spec_version = models.PositiveIntegerField()
    policy_version = models.ForeignKey(
        ActionPolicyVersion, on_delete=models.PROTECT, related_name="+", db_constraint=False
    )
    locale = models.CharField(max_length=12, default="en")
    asked_digest = models.CharField(max_length=64)  # digest of the original intent, before amounts were computed
    arguments = models.JSONField()  # canonical and complete, exactly as shown, confirmed and sent
    digest = models.CharField(max_length=64)
    # The record that the request is about, in the merchant's spelling. The id is empty if the request was refused
    # before the id was known.
    subject_kind = models.CharField(max_length=60, blank=True, default="", db_default="")
    subject_id = models.CharField(max_length=MAX_SUBJECT_ID, blank=True, default="", db_default="")
    order_id = models.CharField(max_length=MAX_ORDER_ID, blank=True)  # the subject's id if it is an order; until 0.3
    amount = _amount()
    currency = models.CharField(max_length=3, blank=True)
    shown = models.JSONField(default=dict)  # merchant data that the card repeats (names, payment, old address)
    needs_approval = models.BooleanField(default=False)
    approvals_needed = models.PositiveSmallIntegerField(default=1, db_default=1)  # if two, by different people
    first_approved_by = models.CharField(max_length=120, blank=True, default="", db_default="")
    first_approved_at = models.DateTimeField(null=True)
    # The version of the rules by which a request that waits for approval was last judged; 0 if an earlier release
    # judged it.
    judged_by = models.PositiveIntegerField(default=0, db_default=0)
    state = models.CharField(max_length=24, choices=State.choices, default=State.PROPOSED)
    reason_code = models.CharField(max_length=60, blank=True)
    reason_facts = models.JSONField(default=dict)
    receipt = models.JSONField(null=True)
    proposed_by = models.CharField(max_length=120)
    confirmed_by = models.CharField(max_length=120, blank=True)
    decided_by = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    changed_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True)
    attempt_count = models.PositiveSmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)  # when the sweep will retry it, or check its outcome again

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="action_request_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "proposal_key"], name="action_request_key_once"),
            models.UniqueConstraint(
                fields=["workspace", "customer_id", "action", "asked_digest"],
                condition=Q(state__in=[str(state) for state in OPEN]),
                name="action_request_equal_open_once",
            ),
            models.UniqueConstraint(
                fields=["workspace", "undoes"],
                condition=Q(undoes__isnull=False, state__in=[str(state) for state in UNDOING]),
                name="action_request_undone_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[str(state) for state in State]), name="action_request_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state=State.EXECUTING) | Q(lease_until__isnull=False),
                name="action_request_executing_has_lease",
            ),
            models.CheckConstraint(
                condition=Q(amount__isnull=True) | Q(amount__gte=0), name="action_request_amount_not_negative"
            ),
            SameWorkspace("policy_version", name="action_request_policy_workspace"),
        ]
        indexes = [
            models.Index(fields=["workspace", "state", "-id"], name="action_request_by_state"),
            models.Index(fields=["workspace", "customer_id", "-id"], name="action_request_by_customer"),
            models.Index(fields=["created_at"], name="action_request_by_time"),
            models.Index(
                fields=["conversation_id"],
                condition=Q(conversation_id__isnull=False),
                name="action_request_by_conversation",
            ),
            models.Index(
                "workspace", OpClass(Upper("subject_id"), "text_pattern_ops"), name="action_request_by_subject"
            ),
            models.Index(
                fields=["state", "due_at"],
                condition=Q(state__in=["queued", "executing", "unknown"]),
                name="action_request_moving",
            ),
            models.Index(
                fields=["expires_at"],
                condition=Q(state__in=["awaiting_confirmation", "awaiting_approval"]),
                name="action_request_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.id}"

    @property
    def is_by_program(self) -> bool:
        """Return whether the request was proposed by a program that acts with the customer's token."""
        return self.proposed_by.startswith("key:")

    @property
    def held_until(self) -> datetime | None:
        """Return when a held request will be sent (until then, the customer can withdraw it); None if not held."""
        return self.due_at if self.state == State.QUEUED and self.attempt_count == 0 else None

    def is_expired(self, moment: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= moment


class Attempt(TenantModel):
    """One attempt to execute a request, written before anything is sent."""

    class Outcome(models.TextChoices):
        HAPPENED = "happened", _("Happened")
        DID_NOT = "did_not", _("Did not happen")
        UNCLEAR = "unclear", _("Unclear")

    request = models.ForeignKey(ActionRequest, on_delete=models.CASCADE, related_name="attempts", db_constraint=False)
    number = models.PositiveSmallIntegerField()
    started_at = models.DateTimeField(default=now, editable=False)
    sent_at = models.DateTimeField(null=True)  # set before the call: money may have moved from here on
    # The answer was unclear, but the merchant has finished with the call.
    was_answered = models.BooleanField(default=False, db_default=False)
    # When a look-up last said that the merchant was working on the call. The call exists then, whatever later look-ups
    # say.
    in_progress_at = models.DateTimeField(null=True)
    is_in_progress = models.BooleanField(default=False, db_default=False)  # what the newest look-up said
    command = models.JSONField(null=True)  # exactly what was sent; kept while it may have to be sent again
    finished_at = models.DateTimeField(null=True)
    outcome = models.CharField(max_length=12, choices=Outcome.choices, blank=True)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [
            models.UniqueConstraint(fields=["request", "number"], name="action_attempt_once"),
            SameWorkspace("request", name="action_attempt_workspace"),
        ]

    def __str__(self) -> str:
        return f"attempt {self.number}"


class LedgerHead(TenantModel):
    """The row that is locked while limits are summed and amounts are reserved; one per workspace."""

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="ledger_head_once")]


class LedgerEntry(TenantModel):
    """The amount that a confirmed request takes from the limits. A released entry no longer counts."""

    class Status(models.TextChoices):
        RESERVED = "reserved"
        SPENT = "spent"
        RELEASED = "released"

    request = models.OneToOneField(ActionRequest, on_delete=models.CASCADE, related_name="entry", db_constraint=False)
    action = models.CharField(max_length=60)
    customer_id = models.UUIDField()
    subject_kind = models.CharField(max_length=60, blank=True, default="", db_default="")
    subject_id = models.CharField(max_length=MAX_SUBJECT_ID, blank=True, default="", db_default="")
    order_id = models.CharField(max_length=MAX_ORDER_ID, blank=True)  # until 0.3
    amount = models.DecimalField(max_digits=12, decimal_places=3)
    currency = models.CharField(max_length=3, blank=True)
    day = models.DateField()  # the day in the workspace's time zone
    status = models.CharField(max_length=8, choices=Status.choices, default=Status.RESERVED)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            SameWorkspace("request", name="ledger_entry_workspace"),
            models.CheckConstraint(condition=Q(amount__gte=0), name="ledger_entry_not_negative"),
            models.CheckConstraint(
                condition=Q(status__in=["reserved", "spent", "released"]), name="ledger_entry_status_known"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "action", "day"], name="ledger_entry_by_day")]


class AuditHead(TenantModel):
    """The end of a workspace's audit chain. The row is locked while an entry is added, so entries have one order."""

    seq = models.PositiveBigIntegerField(default=0)
    mac = models.CharField(max_length=64, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="audit_head_once")]


class AuditEntry(TenantModel):
    """One step, chained to the previous one by a MAC whose key is outside the database. Contains no personal data."""

    seq = models.PositiveBigIntegerField()
    at = models.DateTimeField()
    request_id = models.UUIDField(null=True)
    event = models.CharField(max_length=60)
    actor = models.CharField(max_length=120)
    payload = models.JSONField(default=dict)
    previous = models.CharField(max_length=64, blank=True)
    mac = models.CharField(max_length=64)
    key_id = models.CharField(max_length=12)

    class Meta:
        ordering = ["seq"]
        verbose_name_plural = "audit entries"
        constraints = [models.UniqueConstraint(fields=["workspace", "seq"], name="audit_entry_seq_once")]
        indexes = [models.Index(fields=["workspace", "request_id", "seq"], name="audit_entry_by_request")]
