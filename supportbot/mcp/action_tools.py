"""The workspace's enabled actions as tools: a look-up is answered at once, a change is only proposed.

A proposal is a card that the customer confirms on our page; no tool confirms, approves or declines anything. The
policy, the ledger and the audit trail are the same as in the chat. The audit trail names the key.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from actions.models import ActionRequest
from actions.reasons import sentence
from actions.record_choices import Offer, offer_of
from actions.registry import action_named, all_actions, read_action
from actions.selectors import enabled_actions, request_for
from actions.services import propose, run_read
from actions.spec import Action, Requests
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
from supportbot.serializer_fields import ClosedSerializerMixin

# Agents are programs, so the texts about tools are in English, like the rest of the API.
_CHOOSE: Final = "Let the customer choose one of their own records, then call this again with its value."
_NO_RECORD: Final = "The customer has no record that this could be about."


class StatusInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    request = serializers.UUIDField()


def offered_actions() -> tuple[Action, ...]:
    """Return the actions that the workspace has enabled."""
    enabled = enabled_actions()
    return tuple(action for action in all_actions().values() if action.name in enabled)


def use_action(agent: Agent, token: str, name: str, arguments: Mapping[str, Any]) -> Answer:
    """Look something up or propose a change for the token's customer. If the call needs one of their records but names
    none, return those to choose from.

    Raises IdentityMissing, NotForCustomers, TooManyProposals and the errors of `actions.services`.
    """
    customer = required_customer(agent, token)
    is_read = action_named(name).is_read
    if not is_read and count(f"mcp-proposals:{agent.key_id}", seconds=60) > settings.MCP_PROPOSALS_PER_MINUTE:
        raise TooManyProposals()
    offer = offer_of(customer.principal, name, arguments)
    if offer is not None and not (is_read and offer.complete):
        return _offered(offer, customer.principal.locale)
    if is_read:
        return _look_up(customer, name, offer.complete if offer else arguments, offer.requests if offer else None)
    request = propose(customer.principal, name, arguments, proposal_key=f"mcp:{agent.key_id}:{uuid7()}")
    return _standing(request, customer, with_link=True)


def resumed(agent: Agent, token: str, name: str, request_id: UUID) -> Answer:
    """Return a request's current state, for a client that repeats its call after it has sent its customer to the page.

    Raises NotFound if the request belongs to someone else or to another action.
    """
    customer = required_customer(agent, token)
    request = request_for(customer.caller, request_id)
    if request.action != name:
        raise NotFound()
    return _standing(request, customer)


def action_status(agent: Agent, token: str, arguments: Mapping[str, Any]) -> Answer:
    """Return a request's state and receipt. Raises NotFound unless the request belongs to the token's customer."""
    fields = checked(StatusInput(data=arguments))
    customer = required_customer(agent, token)
    return _standing(request_for(customer.caller, fields["request"]), customer)


def _offered(offer: Offer, locale: str) -> Answer:
    """Return the customer's records to choose from.

    If there are none, return why, as a refusal that lets the agent correct its call.
    """
    if not offer.choices:
        message = sentence(offer.reason, locale) if offer.reason else _NO_RECORD
        code = offer.reason.code if offer.reason else "no_record"
        return Answer(message, {"code": code, "message": message, "fields": {}}, is_error=True)
    choices = {
        name: [{"value": one.value, "label": one.label} for one in entries] for name, entries in offer.choices.items()
    }
    lines = [f"{name}: {one['value']} ({one['label']})" for name, entries in choices.items() for one in entries]
    fields = {name: [_CHOOSE] for name in choices}
    content = {"code": "choice_needed", "message": _CHOOSE, "fields": fields, "choices": choices}
    return Answer("\n".join([_CHOOSE, *lines]), content, is_error=True)


def _look_up(customer: Represented, name: str, arguments: str | Mapping[str, Any], requests: Requests | None) -> Answer:
    found = run_read(customer.principal, name, arguments, requests=requests)
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
