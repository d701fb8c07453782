"""The workspace's enabled actions as tools: a look-up is answered at once, a change is only proposed.

A proposal is a card that the customer confirms on our page; no tool confirms, approves or declines anything. Policy,
ledger and audit trail are the same as in the chat, and the audit trail names the key.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from actions.models import ActionRequest
from actions.registry import action_named, all_actions, read_action
from actions.selectors import enabled_actions, request_for
from actions.services import propose, run_read
from actions.spec import Action
from actions.states import State
from supportbot.errors import NotFound
from supportbot.ids import uuid7
from supportbot.mcp.callers import Agent, Represented, required_customer
from supportbot.mcp.confirmation_links import issue_link
from supportbot.mcp.errors import TooManyProposals
from supportbot.mcp.knowledge_tools import checked
from supportbot.mcp.request_status import outcome
from supportbot.mcp.tool_results import Answer, Confirmation
from supportbot.rate_counters import count
from supportbot.web import ClosedSerializerMixin


class StatusInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    request = serializers.UUIDField()


def offered_actions() -> tuple[Action, ...]:
    """Return the actions that the workspace has enabled."""
    enabled = enabled_actions()
    return tuple(action for action in all_actions().values() if action.name in enabled)


def use_action(agent: Agent, token: str, name: str, arguments: Mapping[str, Any]) -> Answer:
    """Look up or propose for the token's customer. Raises IdentityMissing, NotForCustomers, TooManyProposals and the
    errors of `actions.services`.
    """
    customer = required_customer(agent, token)
    if action_named(name).is_read:
        return _look_up(customer, name, arguments)
    if count(f"mcp-proposals:{agent.key_id}", seconds=60) > settings.MCP_PROPOSALS_PER_MINUTE:
        raise TooManyProposals()
    request = propose(customer.principal, name, arguments, proposal_key=f"mcp:{agent.key_id}:{uuid7()}")
    return _standing(request, customer, with_link=True)


def resumed(agent: Agent, token: str, name: str, request_id: UUID) -> Answer:
    """Return a request's current state, for a client that repeats its call after sending its customer to the page.
    Raises NotFound for someone else's request or one for another action.
    """
    customer = required_customer(agent, token)
    request = request_for(customer.caller, request_id)
    if request.action != name:
        raise NotFound()
    return _standing(request, customer)


def action_status(agent: Agent, token: str, arguments: Mapping[str, Any]) -> Answer:
    """Return a request's state and receipt; raises NotFound unless it belongs to the token's customer."""
    asked = checked(StatusInput(data=arguments))
    customer = required_customer(agent, token)
    return _standing(request_for(customer.caller, asked["request"]), customer)


def _look_up(customer: Represented, name: str, arguments: Mapping[str, Any]) -> Answer:
    found = run_read(customer.principal, name, arguments)
    return Answer(read_action(name).words(found, customer.principal.locale), found)


def _standing(request: ActionRequest, customer: Represented, *, with_link: bool = False) -> Answer:
    locale = customer.principal.locale
    is_due = request.state == State.AWAITING_CONFIRMATION
    url = issue_link(request, customer) if with_link and is_due else ""
    content = outcome(request, locale, confirm_url=url)
    text = " ".join([content["summary"], content["message"], url]).strip()
    if not is_due:
        return Answer(content["message"], content, is_error=with_link and content["status"] == "failed")
    confirmation = Confirmation(request.pk, f"{content['summary']} {content['message']}", url) if url else None
    return Answer(text, content, confirmation=confirmation)
