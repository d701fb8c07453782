"""The tables for outgoing webhooks.

Invariants, enforced by the database: an endpoint has only one delivery per event, however often the event is announced.
A waiting delivery has a time when it is due.
"""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.encrypted_fields import EncryptedTextField
from supportbot.accounts.models import TenantModel

MAX_ANSWER_CHARACTERS = 1_024


class WebhookEndpoint(TenantModel):
    """A server that receives events. `kinds` are the kinds it subscribes to, each with the time of subscribing."""

    class Off(models.TextChoices):
        """Why the installation switched an endpoint off. It is empty if a person did so."""

        FAILING = "failing", _("It failed for three days.")
        GONE = "gone", _("It returned 410 Gone.")

    name = models.CharField(max_length=80)
    url = models.CharField(max_length=500)
    kinds = models.JSONField(default=dict)
    includes_customer = models.BooleanField(default=False)
    is_on = models.BooleanField(default=True)
    off_reason = models.CharField(max_length=10, blank=True, choices=Off.choices)
    notified_at = models.DateTimeField(null=True)  # when the admins were informed that it was switched off
    secret = EncryptedTextField()
    previous_secret = EncryptedTextField(blank=True)  # also signs until the receiver knows the new one
    previous_until = models.DateTimeField(null=True)
    secret_changed_at = models.DateTimeField(default=now, editable=False)
    failures = models.PositiveIntegerField(default=0)  # since the last success
    failing_since = models.DateTimeField(null=True)
    due_at = models.DateTimeField(default=now)  # nothing is sent before this time; used for pauses after failures
    lease_until = models.DateTimeField(null=True)  # the lease of the worker that is sending to it
    # when a worker last served it; endpoints served longer ago come first
    served_at = models.DateTimeField(default=now)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="webhook_endpoint_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "name"], name="webhook_endpoint_name_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets to sign with, starting with the current one."""
        is_kept = self.previous_until is not None and self.previous_until > now() and bool(self.previous_secret)
        return (self.secret, self.previous_secret) if is_kept else (self.secret,)


class WebhookDelivery(TenantModel):
    """One event for one endpoint. Its id is the receiver's `webhook-id`, the same in every attempt.

    The payload contains no personal data. The fields from `status` to `error` describe the last attempt.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        PARKED = "parked", _("Given up")

    endpoint = models.ForeignKey(
        WebhookEndpoint, on_delete=models.CASCADE, related_name="deliveries", db_constraint=False
    )
    event_id = models.UUIDField()
    kind = models.CharField(max_length=40)
    payload = models.JSONField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)  # since it was last queued
    due_at = models.DateTimeField(default=now)
    created_at = models.DateTimeField(default=now, editable=False)
    attempted_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    duration_ms = models.PositiveIntegerField(null=True)
    answer = models.CharField(max_length=MAX_ANSWER_CHARACTERS, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        verbose_name_plural = "webhook deliveries"
        constraints = [
            models.UniqueConstraint(fields=["endpoint", "event_id"], name="webhook_delivery_once"),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "delivered", "parked"]), name="webhook_delivery_state_known"
            ),
            SameWorkspace("endpoint", name="webhook_delivery_workspace"),
        ]
        indexes = [
            models.Index(fields=["endpoint", "due_at"], condition=Q(state="waiting"), name="webhook_delivery_due"),
            models.Index(fields=["endpoint", "state", "-id"], name="webhook_delivery_by_state"),
            models.Index(fields=["created_at"], name="webhook_delivery_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"

    @property
    def message_id(self) -> str:
        return f"msg_{self.pk}"
