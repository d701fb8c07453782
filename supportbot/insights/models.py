"""The tables of daily sums and of findings that someone has dealt with. Because of the daily sums, pages that cover
months need not read all conversations again. Neither table contains customers' words, so both are kept when
conversations are deleted.
"""

from django.db import models
from django.utils.timezone import now

from supportbot.accounts.models import TenantModel, User


class DailySums(TenantModel):
    """The sums of the conversations that were started on one day: for each value of the property `by`, or in total if
    it is empty.
    """

    day = models.DateField()
    timezone = models.CharField(max_length=40)  # the time zone of the day; sums for other time zones are not used
    by = models.CharField(max_length=10, blank=True)
    total = models.PositiveIntegerField()
    sums = models.JSONField()  # `daily_sums.Sums` by the property's value
    computed_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "timezone", "day", "by"], name="daily_sums_once"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.by}"


class Handled(TenantModel):
    """A finding that someone has dealt with by publishing an article, or by dismissing it for a reason.

    The subject (a message, a ticket or a pair of sentences) is a plain id.
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
