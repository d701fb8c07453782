"""Workspaces and what belongs to them: team members, customers, channels and API keys."""

import hashlib
from uuid import UUID

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.timezone import now

from supportbot.accounts.branding import (
    colour_validator,
    greeting_in,
    in_language,
    validate_greetings,
    validate_suggestions,
    web_address_validator,
)
from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.fields import EncryptedTextField
from supportbot.accounts.scope import TenantManager, current_workspace_id
from supportbot.ids import uuid7


def hash_secret(secret: str) -> str:
    """Return the stored form of a secret with at least 128 random bits, which needs no slow hash."""
    # JSON may contain lone surrogates: never a valid secret, but they must not break the look-up.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class Workspace(models.Model):
    """A company or brand. Everything a customer, an agent or an editor sees belongs to exactly one."""

    class AnswerStrictness(models.TextChoices):
        """What happens to an unconfirmed answer: it is replaced, shown with a note, or shown as it is."""

        STRICT = "strict"
        BALANCED = "balanced"
        OPEN = "open"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    locale = models.CharField(max_length=12, default="en")
    timezone = models.CharField(max_length=40, default="UTC")
    currency = models.CharField(max_length=3, default="EUR")
    # From remote models only: what the built-in answerer reads stays in this installation.
    hides_personal_data = models.BooleanField(default=True, db_default=True)
    answer_strictness = models.CharField(
        max_length=10,
        choices=AnswerStrictness.choices,
        default=AnswerStrictness.BALANCED,
        db_default=AnswerStrictness.BALANCED,
    )
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name


class TenantModel(models.Model):
    """A row that belongs to one workspace, by default the current one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, default=current_workspace_id, editable=False)

    objects = TenantManager()

    class Meta:
        abstract = True

    @property
    def workspace_pk(self) -> UUID:
        """`workspace_id`, which the typing plugin considers nullable because the field has a default."""
        assert self.workspace_id is not None
        return self.workspace_id


class User(AbstractUser):
    """A team member: agent, editor, supervisor or admin. Customers are not users."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username


class Membership(models.Model):
    """A person's role in a workspace. Not scoped, because it is queried by person at login."""

    class Role(models.TextChoices):
        EDITOR = "editor"
        AGENT = "agent"
        SUPERVISOR = "supervisor"
        ADMIN = "admin"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} as {self.role}"


class Customer(TenantModel):
    """A customer: signed in (`external_id` is the merchant's id) or an anonymous visitor with a secret."""

    external_id = models.CharField(max_length=200, null=True, blank=True)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    locale = models.CharField(max_length=12, blank=True)
    visitor_hash = models.CharField(max_length=64, null=True, unique=True, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["id", "workspace"], name="customer_in_workspace"),
            models.UniqueConstraint(fields=["workspace", "external_id"], name="customer_external_id_once"),
        ]

    def __str__(self) -> str:
        return self.name or self.external_id or f"Visitor {str(self.id)[-6:]}"

    @property
    def is_anonymous(self) -> bool:
        return self.external_id is None


class Channel(TenantModel):
    """One embedding of the widget. Its key is public: it identifies the workspace and grants nothing."""

    key = models.CharField(max_length=40, unique=True, editable=False)
    name = models.CharField(max_length=120)
    allowed_origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    locale = models.CharField(max_length=12, default="en")
    greeting = models.CharField(max_length=300, blank=True)  # in the channel's own language
    greetings = models.JSONField(
        default=dict, blank=True, validators=[validate_greetings], help_text="By other languages."
    )
    suggestions = models.JSONField(
        default=dict, blank=True, validators=[validate_suggestions], help_text="By language, at most three lines each."
    )
    assistant_name = models.CharField(max_length=60, blank=True, help_text="What the assistant is called in the chat.")
    accent = models.CharField(max_length=7, blank=True, validators=[colour_validator], help_text="Such as #1f5b45.")
    privacy_url = models.CharField(max_length=300, blank=True, validators=[web_address_validator])
    confirms_on_hosted_page = models.BooleanField(
        default=False, help_text="Actions are confirmed on our own chat page only, never in the shop's page."
    )
    is_live = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "workspace"], name="channel_in_workspace")]

    def __str__(self) -> str:
        return self.name

    def greeting_in(self, locale: str) -> str:
        return greeting_in(locale, own=self.greeting, own_locale=self.locale, others=self.greetings)

    def suggestions_in(self, locale: str) -> list[str]:
        return in_language(self.suggestions, locale) or []


class IdentityKey(TenantModel):
    """A key that the merchant's server signs identities with. The algorithm belongs to the key, never to a token."""

    class Algorithm(models.TextChoices):
        HS256 = "HS256"
        ES256 = "ES256"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="identity_keys", db_constraint=False)
    kid = models.CharField(max_length=40)
    algorithm = models.CharField(max_length=5, choices=Algorithm.choices)
    secret = EncryptedTextField(blank=True)
    public_key = models.TextField(blank=True)
    created_at = models.DateTimeField(default=now, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            SameWorkspace("channel", name="identity_key_workspace"),
            models.UniqueConstraint(fields=["channel", "kid"], name="identity_key_kid_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kid} ({self.algorithm})"

    @property
    def verifying_key(self) -> str:
        return self.secret if self.algorithm == self.Algorithm.HS256 else self.public_key


class ApiKey(TenantModel):
    """An API key: shown once, stored hashed, limited to its scopes, acting as a person or a service."""

    prefix = models.CharField(max_length=16, unique=True, editable=False)
    key_hash = models.CharField(max_length=64, editable=False)
    name = models.CharField(max_length=120)
    scopes = ArrayField(models.CharField(max_length=40), default=list)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="api_keys")
    created_at = models.DateTimeField(default=now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now())
