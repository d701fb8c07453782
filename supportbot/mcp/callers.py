"""The callers of the MCP server: a program with an API key and, if there is one, the customer it acts for.

The customer comes from an identity token signed by the merchant's server, never from an argument. The token must belong
to a channel of the key's workspace.
"""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from actions.audit import record_refusal
from actions.principals import Principal, asked_by
from supportbot.accounts.api_keys import staff_and_key
from supportbot.accounts.channels import channel_by_key
from supportbot.accounts.customers import customer_by_token
from supportbot.accounts.errors import InvalidToken
from supportbot.accounts.hosted_page_credentials import PREFIX as PAGE_PASS
from supportbot.accounts.models import Channel
from supportbot.accounts.principals import CustomerCaller
from supportbot.accounts.rest.auth import audience_of
from supportbot.errors import SupportBotError
from supportbot.mcp.errors import IdentityMissing, NotForCustomers, ScopeMissing, TwoIdentities
from supportbot.rate_counters import count

USE: Final = "mcp:use"
FOR_CUSTOMERS: Final = "mcp:customers"
# A flood of bad tokens must not fill the audit chain.
RECORDED_PER_MINUTE: Final = 60


@dataclass(frozen=True, slots=True)
class Agent:
    """A program with an API key of one workspace. `actor` is the name that records use for it."""

    workspace_id: UUID
    key_id: UUID
    name: str
    actor: str
    acts_for_customers: bool


@dataclass(frozen=True, slots=True)
class Represented:
    """The customer of an agent's call, the channel whose key signed their identity, and the agent's API key."""

    caller: CustomerCaller
    principal: Principal
    channel: Channel
    key_id: UUID


def agent_by_key(plain: str) -> Agent:
    """Return the program with this key. Raises InvalidKey, or ScopeMissing if the key lacks `mcp:use`."""
    staff, key = staff_and_key(plain)
    if not staff.may(USE):
        raise ScopeMissing()
    return Agent(staff.workspace_id, key.pk, key.name, key.actor, staff.may(FOR_CUSTOMERS))


def token_in(header: str, meta: object) -> str:
    """Return a call's identity token, or "" if there is none. Raises TwoIdentities or InvalidToken."""
    if meta is not None and not isinstance(meta, str):
        raise InvalidToken("The identity token in `_meta` must be a string.")
    tokens = {token.strip() for token in (header, meta) if token and token.strip()}
    if len(tokens) > 1:
        raise TwoIdentities()
    return next(iter(tokens), "")


def customer_of(agent: Agent, token: str) -> Represented | None:
    """Return the customer named in a token, or None if there is no token. Refusals are audited.

    Raises NotForCustomers, and InvalidToken, even for a valid token from another workspace. Call this inside the
    workspace's scope.
    """
    if not token:
        return None
    try:
        return _represented(agent, token)
    except SupportBotError as error:
        if count(f"mcp-refused:{agent.workspace_id}", seconds=60) <= RECORDED_PER_MINUTE:
            record_refusal("mcp.refused", error, actor=agent.actor)
        raise


def required_customer(agent: Agent, token: str) -> Represented:
    """Return the customer named in a token.

    Raises IdentityMissing if there is no token, or the errors of `customer_of`.
    """
    found = customer_of(agent, token)
    if found is None:
        raise IdentityMissing() if agent.acts_for_customers else NotForCustomers()
    return found


def _represented(agent: Agent, token: str) -> Represented:
    if not agent.acts_for_customers:
        raise NotForCustomers()
    if token.startswith(PAGE_PASS):
        raise InvalidToken("A page's pass is not an identity token.")
    channel = channel_by_key(audience_of(token))
    if channel is None or channel.workspace_id != agent.workspace_id:
        raise InvalidToken(
            "The identity token is for another audience. `aud` must be a channel's key of this workspace."
        )
    caller = customer_by_token(channel, token)
    return Represented(caller, asked_by(agent.actor, caller), channel, agent.key_id)
