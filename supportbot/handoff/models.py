"""The team's side of a conversation: tickets, presence, canned replies and outgoing mail.

Invariants: a partial unique index ensures that a conversation has at most one open ticket. A waiting ticket has no
assignee. A conversation's row is locked before its ticket's row.
"""

from typing import Final

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import TenantModel, User
from supportbot.chat.models import Conversation
from supportbot.word_search import Words

TICKET_WORDS: Final = Words("summary", "contact_email")


class Reason(models.TextChoices):
    """Why a person is needed."""

    CUSTOMER_ASKED = "customer_asked"
    NO_ANSWER = "no_answer"
    ACTION = "action"
    GUARDRAIL = "guardrail"
    MODEL_DOWN = "model_down"
    OTHER = "other"


class Requester(models.TextChoices):
    CUSTOMER = "customer"
    ASSISTANT = "assistant"
    GUARDRAIL = "guardrail"
    RULE = "rule"
    AGENT = "agent"


class State(models.TextChoices):
    WAITING = "waiting", _("Waiting")
    CLAIMED = "claimed", _("Claimed")
    SNOOZED = "snoozed", _("Snoozed")
    RESOLVED = "resolved", _("Resolved")
    RETURNED = "returned", _("Returned")
    EXPIRED = "expired", _("Expired")


OPEN: Final = (State.WAITING, State.CLAIMED, State.SNOOZED)
HELD: Final = (State.CLAIMED, State.SNOOZED)


class Priority(models.IntegerChoices):
    NORMAL = 0, _("Normal")
    HIGH = 1, _("High")
    URGENT = 2, _("Urgent")


class Ticket(TenantModel):
    """One request for a person, from start to end."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="tickets", db_constraint=False
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    reason = models.CharField(max_length=20, choices=Reason.choices)
    summary = models.CharField(max_length=1000, blank=True)
    priority = models.PositiveSmallIntegerField(choices=Priority.choices, default=Priority.NORMAL)
    language = models.CharField(max_length=12, blank=True)
    requested_by = models.CharField(max_length=10, choices=Requester.choices)
    assignee = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="tickets")
    contact_email = models.EmailField(blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    # may move forward when the ticket returns to the queue (`queue_rules.since_on_return`)
    waiting_since = models.DateTimeField(default=now, editable=False)
    claimed_at = models.DateTimeField(null=True, blank=True)
    snoozed_at = models.DateTimeField(null=True, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="ticket_in_workspace"),
            models.UniqueConstraint(
                fields=["conversation"],
                condition=Q(state__in=["waiting", "claimed", "snoozed"]),
                name="ticket_one_open_per_conversation",
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="ticket_state_known"),
            models.CheckConstraint(condition=Q(reason__in=Reason.values), name="ticket_reason_known"),
            models.CheckConstraint(condition=~Q(state="waiting") | Q(assignee=None), name="ticket_waiting_is_nobodys"),
            models.CheckConstraint(
                condition=~Q(state="snoozed") | Q(snoozed_until__isnull=False), name="ticket_snoozed_until_when"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "claimed", "snoozed"], ended_at=None)
                | Q(state__in=["resolved", "returned", "expired"], ended_at__isnull=False),
                name="ticket_ended_when",
            ),
            SameWorkspace("conversation", name="ticket_workspace"),
        ]
        indexes = [
            models.Index(fields=["workspace", "state", "-id"], name="ticket_by_state"),
            models.Index(fields=["workspace", "-created_at", "-id"], name="ticket_newest"),
            models.Index(
                fields=["state", "waiting_since"], condition=Q(state__in=["waiting", "snoozed"]), name="ticket_to_sweep"
            ),
            # The desk reads its queue in this order, one page at a time, because there may be thousands of rows.
            models.Index(
                fields=["workspace", "state", "-priority", "waiting_since", "id"],
                condition=Q(state__in=["waiting", "claimed", "snoozed"]),
                name="ticket_queue",
            ),
            GinIndex(TICKET_WORDS, name="ticket_words"),
        ]

    def __str__(self) -> str:
        return f"{self.state} ticket {self.id}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN


class Presence(TenantModel):
    """When a team member was last online in this workspace."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(default=now)
    is_away = models.BooleanField(default=False)  # set by the user; unaffected by later activity

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="presence_once")]

    def __str__(self) -> str:
        return f"{self.user_id} seen {self.seen_at:%F %T}"


class CannedReply(TenantModel):
    """A reply that the team uses often. When it is inserted, `{name}` and `{agent}` in its text are filled in."""

    title = models.CharField(max_length=80)
    text = models.TextField(max_length=4000)
    locale = models.CharField(max_length=12, blank=True)  # empty: for every language

    class Meta:
        ordering = ["title", "id"]
        verbose_name_plural = "canned replies"
        constraints = [
            models.UniqueConstraint(fields=["workspace", "title"], name="canned_reply_title_once"),
            models.CheckConstraint(condition=~Q(title="") & ~Q(text=""), name="canned_reply_says_something"),
        ]

    def __str__(self) -> str:
        return self.title


class OfferedDraft(TenantModel):
    """A draft that the assistant offered to an agent, and how much of it was sent.

    If the agent sends several replies before the customer's next message, the reply that keeps the most of the draft
    counts. `sent` is the result of comparing the two, or empty if there was no reply; `kept` is the share of the
    draft's words in that reply.
    """

    class Sent(models.TextChoices):
        AS_IS = "as_is", _("Sent unchanged")
        EDITED = "edited", _("Edited")
        REPLACED = "replaced", _("Replaced")

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="+", db_constraint=False)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    release_id = models.UUIDField(null=True)
    text = models.TextField()  # cleared after some days (`offered_drafts.forget_texts`)
    articles = ArrayField(models.UUIDField(), default=list)  # the articles that it is based on
    sent = models.CharField(max_length=8, choices=Sent.choices, blank=True, default="")
    kept = models.FloatField(null=True)
    is_correction = models.BooleanField(default=False)
    message_id = models.UUIDField(null=True)  # the reply that it was compared with
    created_at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [SameWorkspace("conversation", name="offered_draft_workspace")]
        indexes = [models.Index(fields=["workspace", "-created_at"], name="offered_draft_newest")]

    def __str__(self) -> str:
        return f"{self.created_at:%F %T} {self.sent}"


class OutgoingMail(TenantModel):
    """An agent's reply that is mailed to the customer. There is one per message."""

    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="mails", db_constraint=False)
    message_id = models.UUIDField(unique=True)  # the chat message; the e-mail's Message-ID is derived from it
    address = models.EmailField()
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=now)
    sent_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [SameWorkspace("ticket", name="mail_workspace")]
        indexes = [models.Index(fields=["due_at"], condition=Q(sent_at=None), name="mail_due")]

    def __str__(self) -> str:
        return f"mail for {self.message_id}"
