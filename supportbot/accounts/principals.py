"""The caller of a request. Callers are identified once, at the edge, and then passed on as values."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

SCOPES: Final = frozenset(
    {
        "channels:write",
        "kb:read",
        "kb:write",
        "conversations:read",
        "conversations:write",
        "costs:read",
        "evals:read",
        "evals:write",
        "tickets:read",
        "tickets:write",
        "actions:read",
        "actions:approve",
        "customers:read",
        "releases:read",
        "releases:write",
        "releases:override",
        "webhooks:read",
        "webhooks:write",
        "workspace:write",
        "mcp:use",
        "mcp:customers",
    }
)
_OF_ADMINS: Final = frozenset(
    {
        "channels:write",
        "releases:write",
        "releases:override",
        "webhooks:read",
        "webhooks:write",
        "workspace:write",
        "mcp:use",
        "mcp:customers",
    }
)
ROLE_SCOPES: Final = {
    "editor": frozenset({"kb:read", "kb:write", "releases:read"}),
    "agent": SCOPES - _OF_ADMINS - {"kb:write", "actions:approve", "costs:read", "evals:read", "evals:write"},
    "supervisor": SCOPES - _OF_ADMINS - {"kb:write"},
    "admin": SCOPES,
}


@dataclass(frozen=True, slots=True)
class Staff:
    """A member of the workspace's team, or an API key (`key_id`).

    A key's scopes limit the rights of the person it acts as.
    """

    workspace_id: UUID
    user_id: UUID | None
    name: str
    role: str | None
    scopes: frozenset[str]
    key_id: UUID | None = None

    def may(self, scope: str) -> bool:
        return scope in self.scopes

    @property
    def actor(self) -> str:
        """The name that records use for this caller. It does not change and contains no personal data."""
        return f"user:{self.user_id}" if self.user_id else f"key:{self.name}"


@dataclass(frozen=True, slots=True)
class CustomerCaller:
    """A customer. They are verified if the merchant's server has confirmed their identity; a visitor has only a secret.

    `is_hosted` means that they use the hosted chat page, where none of the merchant's scripts run.
    """

    workspace_id: UUID
    customer_id: UUID
    is_verified: bool
    channel_id: UUID | None = None
    expires_at: datetime | None = None
    is_hosted: bool = False


Caller = Staff | CustomerCaller
