"""The record of conversations: events, messages, citations and turns.

Invariants:
- the event log is authoritative: in each conversation, `seq` counts from 1 without gaps, assigned under the
  conversation's row lock;
- `prev_seq` chains the events that customers see, so their clients can tell a lost event from a hidden one;
- a customer's `client_id` is stored once per conversation;
- a conversation has at most one pending and one running turn; writes to a turn specify its attempt, so a runner that
  has lost its lease can no longer write.
"""

from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.models import Channel, Customer, TenantModel, User
from supportbot.ids import uuid7
from supportbot.word_search import Words


class Audience(models.TextChoices):
    EVERYONE = "everyone"
    STAFF = "staff"


class Source(models.TextChoices):
    CUSTOMER = "customer"
    ASSISTANT = "assistant"
    AGENT = "agent"
    SYSTEM = "system"


class Conversation(TenantModel):
    """A customer's thread, which may span days and several episodes."""

    class Mode(models.TextChoices):
        """Who answers."""

        ASSISTANT = "assistant", _("Assistant")
        WAITING = "waiting", _("Waiting")
        PERSON = "person", _("Person")

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="conversations", db_constraint=False)
    channel = models.ForeignKey(
        Channel, on_delete=models.SET_NULL, null=True, blank=True, related_name="+", db_constraint=False
    )
    locale = models.CharField(max_length=12, default="en")
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.ASSISTANT)
    agent = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    last_seq = models.PositiveBigIntegerField(default=0)
    last_public_seq = models.PositiveBigIntegerField(default=0)
    # The assistant or an agent has answered every customer message up to here.
    answered_seq = models.PositiveBigIntegerField(default=0)
    # The assistant's context begins after this event, so it does not reopen topics that an agent has settled.
    episode_start_seq = models.PositiveBigIntegerField(default=0)
    handoff_note = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    last_event_at = models.DateTimeField(default=now, editable=False)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="conversation_in_workspace"),
            SameWorkspace("customer", name="conversation_customer_workspace"),
            SameWorkspace("channel", name="conversation_channel_workspace"),
            models.CheckConstraint(condition=Q(mode__in=["assistant", "waiting", "person"]), name="conversation_mode"),
        ]
        indexes = [
            models.Index(fields=["workspace", "-last_event_at"], name="conversation_newest"),
            models.Index(fields=["workspace", "created_at"], name="conversation_begun"),
            models.Index(fields=["workspace", "locale"], name="conversation_locale"),
        ]

    def __str__(self) -> str:
        return f"Conversation {self.id}"


class ConversationEvent(TenantModel):
    """One event of a conversation, in the form shown to its audience."""

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="events", db_constraint=False)
    seq = models.PositiveBigIntegerField()
    prev_seq = models.PositiveBigIntegerField(null=True)  # null if customers do not see this event
    event = models.CharField(max_length=40)
    payload = models.JSONField()
    audience = models.CharField(max_length=10, choices=Audience.choices, default=Audience.EVERYONE)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["conversation", "seq"], name="event_seq_once"),
            models.CheckConstraint(condition=Q(seq__gt=0), name="event_seq_counts_from_one"),
            models.CheckConstraint(
                condition=Q(audience="staff", prev_seq=None) | Q(audience="everyone", prev_seq__isnull=False),
                name="event_prev_seq_is_public",
            ),
            SameWorkspace("conversation", name="event_workspace"),
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.event}"


class Message(TenantModel):
    """A message from a customer, the assistant, an agent or the system."""

    conversation = models.ForeignKey(
        Conversation, on_delete=models.CASCADE, related_name="messages", db_constraint=False
    )
    seq = models.PositiveBigIntegerField()
    source = models.CharField(max_length=10, choices=Source.choices)
    author = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    author_name = models.CharField(max_length=150, blank=True)
    text = models.TextField()
    client_id = models.CharField(max_length=128, null=True, blank=True)
    audience = models.CharField(max_length=10, choices=Audience.choices, default=Audience.EVERYONE)
    by = models.CharField(max_length=10, blank=True)  # for the assistant's messages: model or builtin
    is_abstention = models.BooleanField(default=False)
    # The answer is an abstention because the checks withheld all of it. The column has the field's former name.
    is_withheld = models.BooleanField(default=False, db_default=False, db_column="is_held_back")
    # Set for a customer's message that is only a courtesy, such as "thanks", and asks nothing. Stored when it is
    # answered.
    courtesy = models.CharField(max_length=20, blank=True, default="", db_default="")
    release_id = models.UUIDField(null=True)  # the release used for the assistant's answer
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        ordering = ["seq"]
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="message_in_workspace"),
            models.UniqueConstraint(fields=["conversation", "source", "client_id"], name="message_client_id_once"),
            models.UniqueConstraint(fields=["conversation", "seq"], name="message_seq_once"),
            models.CheckConstraint(condition=Q(source__in=Source.values), name="message_source_known"),
            SameWorkspace("conversation", name="message_workspace"),
        ]
        indexes = [
            GinIndex(Words("text"), name="message_words"),
            models.Index(
                fields=["workspace", "-created_at"], condition=Q(is_abstention=True), name="message_abstained"
            ),
            models.Index(fields=["conversation"], condition=Q(is_withheld=True), name="message_held_back"),
        ]

    def __str__(self) -> str:
        return f"{self.source} {self.seq}"


class Citation(TenantModel):
    """The source of a sentence by the assistant: characters `start` to `end` of a revision's body.

    Its values are copies, so it survives the deletion of the article.
    """

    message = models.ForeignKey(Message, on_delete=models.CASCADE, related_name="citations", db_constraint=False)
    position = models.PositiveSmallIntegerField()
    article_id = models.UUIDField()
    external_id = models.CharField(max_length=400)
    title = models.CharField(max_length=300)
    url = models.CharField(max_length=2000, blank=True)
    revision = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    quote = models.TextField()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["message", "position"], name="citation_position_once"),
            SameWorkspace("message", name="citation_workspace"),
        ]
        indexes = [models.Index(fields=["workspace", "article_id"], name="citation_of_article")]

    def __str__(self) -> str:
        return f"{self.title} [{self.start}:{self.end}]"


class Turn(TenantModel):
    """One answer that the assistant has to give in a conversation.

    Only one runner at a time can claim it, under a lease.
    """

    class Kind(models.TextChoices):
        REPLY = "reply"
        EXPLAIN = "explain"

    class State(models.TextChoices):
        PENDING = "pending"
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"
        STOPPED = "stopped"
        SUPERSEDED = "superseded"

    conversation = models.ForeignKey(Conversation, on_delete=models.CASCADE, related_name="turns", db_constraint=False)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.REPLY)
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    attempt = models.PositiveIntegerField(default=0)
    losses = models.PositiveSmallIntegerField(default=0)  # number of expired leases; at the third one, the turn fails
    runner = models.CharField(max_length=64, blank=True)
    lease_until = models.DateTimeField(null=True)
    stop_requested = models.BooleanField(default=False)
    # the id of the assistant's message that the turn will produce
    message_id = models.UUIDField(default=uuid7, unique=True)
    # The turn answers the customer's messages with from_seq < seq <= through_seq, fixed by the first claim.
    from_seq = models.PositiveBigIntegerField(null=True)
    through_seq = models.PositiveBigIntegerField(null=True)
    partial_text = models.TextField(blank=True)
    partial_index = models.PositiveIntegerField(default=0)
    failure_code = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(state="pending"), name="turn_one_pending_per_conversation"
            ),
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(state="running"), name="turn_one_running_per_conversation"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "running", "done", "failed", "stopped", "superseded"]),
                name="turn_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | Q(lease_until__isnull=False), name="turn_running_has_lease"
            ),
            SameWorkspace("conversation", name="turn_workspace"),
        ]
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state="pending"), name="turn_waiting"),
            models.Index(fields=["lease_until"], condition=Q(state="running"), name="turn_lease"),
        ]

    def __str__(self) -> str:
        return f"{self.state} turn of {self.conversation_id}"


class RetentionRun(TenantModel):
    """One nightly retention run in a workspace. The newest run shows whether the time allowed per night is enough."""

    ended_at = models.DateTimeField(default=now, editable=False)
    conversations = models.PositiveIntegerField(help_text="Erased.")
    bodies = models.PositiveIntegerField(help_text="Erased.")
    visitors = models.PositiveIntegerField(default=0, db_default=0, help_text="Erased.")
    kept = models.PositiveIntegerField(help_text="Old conversations with open work.")
    # Now also counts bodies and visitors; the help text is part of an old migration.
    remaining = models.PositiveIntegerField(help_text="Old conversations for which there was no time.")
    has_failed = models.BooleanField(help_text="The run ended early; the figures count what was erased before.")

    class Meta:
        indexes = [models.Index(fields=["workspace", "-ended_at"], name="retention_run_newest")]

    def __str__(self) -> str:
        return f"{self.ended_at:%Y-%m-%d}: {self.conversations} conversations"
