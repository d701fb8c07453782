"""The widget's tables: tickets that open sockets, codes that open the hosted page, and customers' ratings.

Invariant: a ticket opens one socket, and a code opens one page. A conditional UPDATE uses them up, so none works twice.
"""

from django.db import models
from django.db.models import Q
from django.utils.timezone import now

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import Channel, Customer, TenantModel
from supportbot.chat.models import Conversation


class SingleUse(TenantModel):
    """Lets a customer do something once, within a minute. Only the hash of its secret is stored."""

    secret_hash = models.CharField(max_length=64, unique=True, editable=False)
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    is_verified = models.BooleanField()
    identity_expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True


class SocketTicket(SingleUse):
    """Lets a customer open one socket, from one origin."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    origin = models.CharField(max_length=200, blank=True)  # empty for a program with an API key

    class Meta:
        constraints = [
            SameWorkspace("channel", name="ticket_channel_workspace"),
            SameWorkspace("customer", name="ticket_customer_workspace"),
            SameWorkspace("conversation", name="ticket_conversation_workspace"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="ticket_expiry")]

    def __str__(self) -> str:
        return f"Ticket for {self.conversation_id}"


class PageCode(SingleUse):
    """Lets a customer's identity be carried over to the hosted chat page."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, null=True, related_name="+", db_constraint=False
    )

    class Meta:
        constraints = [
            SameWorkspace("channel", name="page_code_channel_workspace"),
            SameWorkspace("customer", name="page_code_customer_workspace"),
            SameWorkspace("conversation", name="page_code_conversation_workspace"),
        ]
        indexes = [models.Index(fields=["expires_at"], name="page_code_expiry")]

    def __str__(self) -> str:
        return f"Code for {self.customer_id}"


class Reason(models.TextChoices):
    """What the customer thought was wrong with an answer."""

    WRONG = "wrong"
    OFF_TOPIC = "off_topic"
    INCOMPLETE = "incomplete"
    UNCLEAR = "unclear"


class Rating(TenantModel):
    """A customer's score for one answer or, without a `message_id`, for the conversation.

    A second score replaces the first.
    """

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="ratings", db_constraint=False
    )
    message_id = models.UUIDField(null=True)
    score = models.PositiveSmallIntegerField()
    reason = models.CharField(max_length=12, choices=Reason.choices, blank=True, default="", db_default="")
    comment = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(score__gte=1, score__lte=5), name="rating_score_from_1_to_5"),
            models.UniqueConstraint(
                fields=["conversation", "message_id"], nulls_distinct=False, name="rating_once_per_answer"
            ),
            SameWorkspace("conversation", name="rating_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.score} of 5"
