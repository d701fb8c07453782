"""Daily sums, so that a page with months of conversations does not read them again, and what was done with findings.

Neither holds a word of a customer, so they outlive the conversations they are about.
"""

from django.db import models
from django.utils.timezone import now

from supportbot.accounts.models import TenantModel, User


class DailySums(TenantModel):
    """What the conversations begun on one day add to the figures, by one property of them or in all (`by` is empty)."""

    day = models.DateField()
    timezone = models.CharField(max_length=40)  # whose day it is; sums of another one are not read
    by = models.CharField(max_length=10, blank=True)
    total = models.PositiveIntegerField()
    sums = models.JSONField()  # `days.Sums` by the property's value
    computed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "timezone", "day", "by"], name="daily_sums_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.by}"


class Handled(TenantModel):
    """One finding that somebody has dealt with: an article was published, or it was dismissed for a reason.

    Its subject (a message, a ticket, or a pair of sentences) is a plain id.
    """

    class Outcome(models.TextChoices):
        PUBLISHED = "published"
        DISMISSED = "dismissed"

    kind = models.CharField(max_length=16)
    subject = models.UUIDField()
    outcome = models.CharField(max_length=10, choices=Outcome.choices)
    reason = models.CharField(max_length=300, blank=True)
    article_id = models.UUIDField(null=True)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        verbose_name_plural = "handled findings"
        constraints = [models.UniqueConstraint(fields=["workspace", "kind", "subject"], name="handled_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}: {self.outcome}"
