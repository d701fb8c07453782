"""Announcements to higher-level packages: written with the change that they announce, delivered in order, at least
once.
"""

from django.db import models
from django.db.models.functions import Now


class Announcement(models.Model):
    """One event about one object. It contains only ids; consumers read the current state from the database.

    An announcement is parked if it has failed too often. It then no longer holds up others, and is not retried until an
    operator asks for it.
    """

    id = models.BigAutoField(primary_key=True)
    topic = models.CharField(max_length=40)
    object_id = models.UUIDField()
    workspace_id = models.UUIDField()
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField(db_default=Now())
    delivered_at = models.DateTimeField(null=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.CharField(max_length=300, blank=True)
    parked_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["object_id", "id"], name="announcement_undelivered", condition=models.Q(delivered_at=None)
            ),
            models.Index(fields=["id"], name="announcement_parked", condition=~models.Q(parked_at=None)),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.object_id}"
