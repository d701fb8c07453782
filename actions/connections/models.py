"""The table of connections. A live and a sandbox connection with the same name are two rows: they differ in address,
credentials and even the kind of authentication, and a definition refers to both by one name.
"""

from django.db import models
from django.utils.timezone import now
from django.utils.translation import gettext_lazy as _

from actions.connections.auth import Auth
from supportbot.accounts.encrypted_fields import EncryptedTextField
from supportbot.accounts.models import TenantModel


class Environment(models.TextChoices):
    LIVE = "live", _("Live")
    SANDBOX = "sandbox", _("Sandbox")


class Connection(TenantModel):
    """An API that defined actions call. `settings` belong to its kind of authentication and contain no secret."""

    name = models.CharField(max_length=60)
    environment = models.CharField(max_length=8, default=Environment.LIVE)
    base_url = models.CharField(max_length=300)
    auth = models.CharField(max_length=24, default=Auth.NONE)
    settings = models.JSONField(default=dict)
    test_path = models.CharField(max_length=200, default="/")
    secret = EncryptedTextField(blank=True)
    # The secret before the last rotation; some kinds sign with both secrets until the other side knows the new one.
    previous_secret = EncryptedTextField(blank=True)
    previous_until = models.DateTimeField(null=True)
    secret_changed_at = models.DateTimeField(default=now, editable=False)
    created_at = models.DateTimeField(default=now, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name", "environment"], name="connection_name_once"),
            models.CheckConstraint(
                condition=models.Q(environment__in=["live", "sandbox"]), name="connection_environment_known"
            ),
            models.CheckConstraint(
                condition=models.Q(auth__in=[str(kind) for kind in Auth]), name="connection_auth_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name if self.environment == Environment.LIVE else f"{self.name} ({self.environment})"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The secrets to sign with, the current one first."""
        is_kept = self.previous_until is not None and self.previous_until > now() and bool(self.previous_secret)
        return (self.secret, self.previous_secret) if is_kept else (self.secret,)
