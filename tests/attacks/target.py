"""The endpoints of one company as an attacker sees them, and its records afterwards."""

from dataclasses import dataclass
from typing import Any

from actions.audit import verify
from actions.models import AuditEntry
from supportbot.chat.models import Conversation, Message
from tests.attacks.corpus import rows
from tests.attacks.world import Tenant, World
from tests.widget.page import ask_for_ticket, identity_token


@dataclass
class Target:
    """One company's endpoints and data."""

    world: World
    server: str = ""

    @property
    def home(self) -> Tenant:
        return self.world.home

    @property
    def origin(self) -> str:
        return str(self.home.channel.channel.allowed_origins[0])

    def request_ticket(self, *, origin: str | None = "", **fields: Any) -> Any:
        """Request a ticket, from our own page's origin unless another one (or None) is given."""
        body = {"channel": self.home.channel.channel.key, **fields}
        return ask_for_ticket(body, origin=self.origin if origin == "" else origin)

    def token(self, subject: str = "", **changes: Any) -> str:
        return identity_token(self.home.channel, subject or str(self.world.speaker.external_id), **changes)

    def ticket(self, **fields: Any) -> dict[str, Any]:
        answer = self.request_ticket(**fields)
        assert answer.status_code == 201, answer.content
        granted: dict[str, Any] = answer.json()
        return granted

    def foreign_conversation(self) -> str:
        """Return a conversation of another customer here, with their canary in it."""
        other = list(self.world.customers.values())[1]
        with self.world.at_home():
            return str(Conversation.objects.get(customer=other).pk)

    def codes(self) -> list[str]:
        """Return the logged reasons, after checking that the chain is intact."""
        with self.world.at_home():
            assert verify().is_whole
            payloads = AuditEntry.objects.order_by("seq").values_list("payload", flat=True)
            return [str(payload["code"]) for payload in payloads if "code" in payload]

    def said(self) -> list[str]:
        with self.world.at_home():
            return list(Message.objects.filter(source="customer").values_list("text", flat=True))


def of(kinds: Any) -> list[Any]:
    return [entry for entry in rows("protocol") if entry.values[0].kind in kinds]
