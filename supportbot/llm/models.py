"""Records of model calls with their cost and outcome, and workspaces' daily budgets."""

from datetime import datetime, timedelta
from decimal import Decimal

from django.db import models
from django.db.models import F, Q, Value
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.encrypted_fields import EncryptedTextField
from supportbot.accounts.models import TenantModel
from supportbot.ids import uuid7


class LLMCall(TenantModel):
    """One attempt at one provider, or one that the budget did not allow. A turn that used a fallback has several rows.

    Conversation and turn are plain values, because costs stay on record after a conversation is erased.
    """

    class Outcome(models.TextChoices):
        DONE = "done", _("Done")
        REFUSED = "refused", _("refused: nothing was generated")
        UNCLEAR = "unclear", _("interrupted: it is not known how much was generated")
        STOPPED = "stopped", _("stopped by SupportBot")
        SKIPPED = "skipped", _("not called: too little of the budget was left")

    purpose = models.CharField(max_length=20)
    provider = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    prompt_version = models.CharField(max_length=60, blank=True)
    conversation_id = models.UUIDField(null=True)
    turn_id = models.UUIDField(null=True)
    input_tokens = models.PositiveIntegerField(default=0)
    output_tokens = models.PositiveIntegerField(default=0)
    cached_tokens = models.PositiveIntegerField(default=0)
    is_estimated = models.BooleanField(default=False, help_text="The provider did not report its tokens.")
    # Prices are per million tokens, so a single call may cost a small fraction of a cent.
    cost = models.DecimalField(
        max_digits=18, decimal_places=8, null=True, help_text="Empty while LLM_PRICES has no price for the model."
    )
    currency = models.CharField(max_length=3, blank=True)
    time_to_first_token_ms = models.PositiveIntegerField(null=True)
    duration_ms = models.PositiveIntegerField()
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    reason = models.CharField(max_length=20, blank=True)
    started_at = models.DateTimeField(default=now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "workspace"], name="llm_call_in_workspace")]
        indexes = [
            models.Index(fields=["workspace", "started_at"], name="llm_call_by_day"),
            models.Index(fields=["started_at"], include=["currency", "cost"], name="llm_call_by_time"),
            models.Index(fields=["conversation_id"], name="llm_call_by_conversation"),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} by {self.provider} {self.model}: {self.outcome}"

    @property
    def first_token_at(self) -> datetime | None:
        """When the first token arrived; None if none did."""
        if self.time_to_first_token_ms is None:
            return None
        first_at: datetime = self.started_at + timedelta(milliseconds=self.time_to_first_token_ms)
        return first_at


class LLMBody(TenantModel):
    """The request and the response of one call, with personal data masked.

    It is stored only if LLM_STORE_BODIES is on, and deleted when it expires.
    """

    call = models.OneToOneField(LLMCall, on_delete=models.CASCADE, related_name="body", db_constraint=False)
    request = models.TextField()
    response = models.TextField(blank=True)
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [SameWorkspace("call", name="llm_body_workspace")]

    def __str__(self) -> str:
        return f"Body of {self.call_id}"


class Budget(TenantModel):
    """A workspace's budget for one UTC day: what has been spent, and what is reserved for running calls. It covers one
    purpose, or all of them.
    """

    day = models.DateField()
    purpose = models.CharField(max_length=20, blank=True, default="", db_default="")
    amount = models.DecimalField(max_digits=18, decimal_places=8)
    currency = models.CharField(max_length=3)
    reserved = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    spent = models.DecimalField(max_digits=18, decimal_places=8, default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "day", "purpose"], name="llm_budget_once_a_day"),
            models.CheckConstraint(condition=Q(reserved__gte=0, spent__gte=0), name="llm_budget_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.day} {self.purpose or 'all'}: {self.spent} of {self.amount} {self.currency}"

    @classmethod
    def room_for(cls, amount: Decimal, allowance: Decimal) -> Q:
        """Return the condition that the budget still has room for `amount`.

        The database evaluates it on the locked row.
        """
        return Q(spent__lte=Value(allowance - amount) - F("reserved"))


class ModelConnection(TenantModel):
    """A model on a server, with a name given by the workspace. The key is encrypted and never shown."""

    name = models.CharField(max_length=40)
    base_url = models.CharField(max_length=300)
    model = models.CharField(max_length=200)
    key = EncryptedTextField(blank=True)
    # Used if the release has no value. None means the model's own temperature, and no limit other than the release's.
    temperature = models.FloatField(null=True, blank=True)
    max_output_tokens = models.PositiveIntegerField(null=True, blank=True)
    # Per million tokens; None if unknown.
    input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    output_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    cached_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    key_changed_at = models.DateTimeField(default=now, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    # Tells processes with an older state to reconnect.
    version = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="model_connection_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "name"], name="model_connection_name_once"),
        ]

    def __str__(self) -> str:
        return self.name


class EmbeddingConnection(models.Model):
    """A server of an embedding model, used by all workspaces. The key is encrypted and never shown.

    The row named ENVIRONMENT stands for the server in the environment variables. It contains their address and model
    and the result of the last test, but no key.
    """

    ENVIRONMENT = "environment"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=40, unique=True)
    base_url = models.CharField(max_length=300)
    model = models.CharField(max_length=200)
    key = EncryptedTextField(blank=True)
    # Per million tokens; None if unknown.
    input_price = models.DecimalField(max_digits=12, decimal_places=6, null=True, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    # The result of the last test: the vectors of the fixed texts, which also show their size. None: not tested in its
    # current state.
    dimensions = models.PositiveIntegerField(null=True, editable=False)
    sample = models.JSONField(default=list, editable=False)
    tested_at = models.DateTimeField(null=True, editable=False)
    key_changed_at = models.DateTimeField(default=now, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)
    # Tells processes with an older state to reconnect.
    version = models.PositiveIntegerField(default=1, editable=False)

    def __str__(self) -> str:
        return gettext("Environment variables") if self.is_environment else self.name

    @property
    def is_environment(self) -> bool:
        return self.name == self.ENVIRONMENT


class EmbeddingRoute(models.Model):
    """The servers that make the vectors of one recipe (`kb.indexing`), first choice first.

    Routes are kept, so that choosing the same model again finds its recipe and calibration.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    recipe = models.CharField(max_length=200, unique=True)
    model = models.CharField(max_length=200)
    dimensions = models.PositiveIntegerField()
    # The vectors of the fixed texts, which every server of the route has to reproduce.
    sample = models.JSONField()
    connections = models.JSONField(help_text="The ids of the connections, in order.")
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.recipe
