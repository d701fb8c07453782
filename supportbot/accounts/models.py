"""Workspaces, and their team members, customers, channels and API keys."""

import hashlib
from collections.abc import Collection, Mapping
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from supportbot.accounts.branding import (
    colour_validator,
    greeting_in,
    in_language,
    validate_greetings,
    validate_placeholders,
    validate_suggestions,
    web_address_validator,
)
from supportbot.accounts.business_hours import validate_hours
from supportbot.accounts.constraints import SameWorkspace
from supportbot.accounts.encrypted_fields import EncryptedTextField
from supportbot.accounts.scope import TenantManager, current_workspace_id
from supportbot.ids import uuid7
from supportbot.language.detection import base_language
from supportbot.word_search import Words

NONE: Final[Mapping[str, str]] = MappingProxyType({})


def hash_secret(secret: str) -> str:
    """Return a secret in its stored form.

    The secret has at least 128 random bits, so it needs no slow hash.
    """
    # JSON may contain lone surrogates, which are never part of a valid secret but must not break the look-up.
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


class Workspace(models.Model):
    """A company or brand. Everything that a customer, an agent or an editor sees belongs to exactly one workspace."""

    class AnswerStrictness(models.TextChoices):
        """What happens to unconfirmed answers: they are replaced, shown with a note, or shown unchanged."""

        STRICT = "strict"
        BALANCED = "balanced"
        OPEN = "open"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)
    locale = models.CharField(max_length=12, default="en")
    timezone = models.CharField(max_length=40, default="UTC")
    currency = models.CharField(max_length=3, default="EUR")
    # The company's own site, and the colour of the help pages and of new channels.
    site_url = models.CharField(
        max_length=300, blank=True, default="", db_default="", validators=[web_address_validator]
    )
    accent = models.CharField(max_length=7, blank=True, default="", db_default="", validators=[colour_validator])
    # Linked from the help pages and the chat's own page.
    imprint_url = models.CharField(
        max_length=300, blank=True, default="", db_default="", validators=[web_address_validator]
    )
    privacy_url = models.CharField(
        max_length=300, blank=True, default="", db_default="", validators=[web_address_validator]
    )
    # The team's choices in the list of first steps: which steps it skipped, and whether it hid the list.
    first_steps = ArrayField(models.CharField(max_length=20), blank=True, default=list, db_default=[])
    # Data is hidden only from remote models, because the built-in answerer's input stays in this installation.
    hides_personal_data = models.BooleanField(default=True, db_default=True)
    # Days without an event after which a conversation is erased (empty means never), and days after which a model
    # call's stored body and a draft's text are erased (empty means 30).
    keep_conversations_days = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    keep_bodies_days = models.PositiveSmallIntegerField(null=True, blank=True, validators=[MinValueValidator(1)])
    answer_strictness = models.CharField(
        max_length=10,
        choices=AnswerStrictness.choices,
        default=AnswerStrictness.BALANCED,
        db_default=AnswerStrictness.BALANCED,
    )
    created_at = models.DateTimeField(default=now, editable=False)

    def __str__(self) -> str:
        return self.name

    @property
    def zone(self) -> tzinfo:
        """The workspace's time zone, or UTC if this machine does not know it."""
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return UTC


class TenantModel(models.Model):
    """A row that belongs to one workspace, by default the current one."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, default=current_workspace_id, editable=False)

    objects = TenantManager()

    class Meta:
        abstract = True

    @property
    def workspace_pk(self) -> UUID:
        """`workspace_id`, which the typing plugin takes to be nullable because the field has a default."""
        assert self.workspace_id is not None
        return self.workspace_id


class Logo(TenantModel):
    """A workspace's logo, re-encoded."""

    digest = models.CharField(max_length=40, editable=False, db_index=True)
    png = models.BinaryField()
    width = models.PositiveSmallIntegerField()
    height = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace"], name="logo_once")]

    def __str__(self) -> str:
        return self.digest


class User(AbstractUser):
    """A team member: agent, editor, supervisor or admin. Customers are not users."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # The language of their pages and e-mails; empty means the browser's language.
    language = models.CharField(max_length=12, blank=True, default="", db_default="")

    @property
    def display_name(self) -> str:
        return self.get_full_name() or self.username


class SetupLink(models.Model):
    """The link that creates the first administrator, stored as a hash. There is only one; a new link replaces it."""

    id = models.SmallIntegerField(primary_key=True, default=1, editable=False)
    token_hash = models.CharField(max_length=64, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="setup_link_once")]

    def __str__(self) -> str:
        return str(self.created_at)


class Membership(models.Model):
    """A person's role in a workspace.

    It is not limited to a workspace's scope, because logging in looks it up by person.
    """

    class Role(models.TextChoices):
        EDITOR = "editor", _("Editor")
        AGENT = "agent", _("Agent")
        SUPERVISOR = "supervisor", _("Supervisor")
        ADMIN = "admin", _("Admin")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=12, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} in {self.workspace} as {self.role}"


class Customer(TenantModel):
    """A customer, either signed in (`external_id` is the merchant's id) or an anonymous visitor with a secret."""

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
        indexes = [GinIndex(Words("name", "email", "external_id"), name="customer_words")]

    def __str__(self) -> str:
        return self.name or self.external_id or gettext("Visitor {code}").format(code=str(self.id)[-6:])

    @property
    def is_anonymous(self) -> bool:
        return self.external_id is None


class Channel(TenantModel):
    """One place where the widget is embedded. Its key is public: it identifies the channel and grants nothing."""

    class Position(models.TextChoices):
        """The launcher's corner, relative to the writing direction."""

        END = "end", _("Right")
        START = "start", _("Left")

    key = models.CharField(max_length=40, unique=True, editable=False)
    name = models.CharField(max_length=120)
    allowed_origins = ArrayField(models.CharField(max_length=200), default=list, blank=True)
    locale = models.CharField(max_length=12, default="en")
    greeting = models.CharField(max_length=300, blank=True)  # written in the channel's language
    greetings = models.JSONField(
        default=dict,
        blank=True,
        validators=[validate_greetings],
        help_text="Greetings in other languages, by language code.",
    )
    suggestions = models.JSONField(
        default=dict, blank=True, validators=[validate_suggestions], help_text="By language, at most three lines each."
    )
    assistant_name = models.CharField(max_length=60, blank=True, help_text="What the assistant is called in the chat.")
    accent = models.CharField(max_length=7, blank=True, validators=[colour_validator], help_text="Such as #1f5b45.")
    privacy_url = models.CharField(max_length=300, blank=True, validators=[web_address_validator])
    confirms_on_hosted_page = models.BooleanField(
        default=False, help_text="Actions are confirmed only on our own chat page, never on the shop's page."
    )
    position = models.CharField(max_length=5, choices=Position.choices, default=Position.END, db_default=Position.END)
    is_live = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)
    hours = models.JSONField(default=dict, blank=True, db_default={}, validators=[validate_hours])
    # When and where a page with this channel's tag was first seen, and the last page that was refused.
    seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    seen_origin = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)
    refused_origin = models.CharField(max_length=200, blank=True, default="", db_default="", editable=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["id", "workspace"], name="channel_in_workspace")]

    def __str__(self) -> str:
        return self.name

    def clean_fields(self, exclude: Collection[str] | None = None) -> None:
        super().clean_fields(exclude)
        if exclude and "greeting" in exclude:
            return
        try:
            validate_placeholders(self.greeting)
        except ValidationError as error:
            raise ValidationError({"greeting": error.messages}) from error

    def greeting_in(self, locale: str, *, otherwise: Mapping[str, str] = NONE) -> str:
        """Return the greeting in a locale: the channel's own or, if it has none, the workspace's, given as
        `otherwise`.
        """
        others = {**otherwise, **self.greetings}
        if self.greeting:  # in the channel's language, its own greeting takes precedence over the workspace's
            others = {tag: text for tag, text in others.items() if tag in self.greetings or not self._speaks(tag)}
        return greeting_in(locale, own=self.greeting, own_locale=self.locale, others=others)

    def _speaks(self, tag: str) -> bool:
        return base_language(tag) == base_language(self.locale)

    def suggestions_in(self, locale: str) -> list[str]:
        return in_language(self.suggestions, locale) or []


class IdentityKey(TenantModel):
    """A key that the merchant's server uses to sign identities.

    The key determines the algorithm; the token never does.
    """

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
    """An API key: shown once, stored as a hash, limited to its scopes, and acting as a person or a service."""

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
    def actor(self) -> str:
        """The name that records use for the key. It is unique and contains no personal data."""
        return f"key:{self.prefix}"

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now())
