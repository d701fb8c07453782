"""The tools `search` and `ask`: the workspace's knowledge. Without a customer's token, they use only what is public.

An answer is one turn of the assistant in a separate conversation, with the usual checks, citations, record and cost.
The conversation belongs to the token's customer or, without a token, to an anonymous visitor named after the key.
"""

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from rest_framework import serializers

from actions.models import ActionRequest
from actions.states import State
from kb.access import Viewer
from kb.models import Audience
from kb.search import search
from kb.serializers import LocaleField
from supportbot.accounts.models import Customer, Workspace
from supportbot.assistant.ask_and_wait import AskResult, ask_runner
from supportbot.async_db import db
from supportbot.chat.models import Conversation
from supportbot.chat.services import start_conversation
from supportbot.errors import InvalidInput, Unavailable, flatten_field_errors
from supportbot.language.detection import detect
from supportbot.mcp.callers import Agent, Represented, customer_of
from supportbot.mcp.confirmation_links import issue_link
from supportbot.mcp.errors import TooManyQuestions
from supportbot.mcp.request_status import outcome
from supportbot.mcp.tool_results import Answer
from supportbot.rate_counters import count
from supportbot.serializer_fields import ClosedSerializerMixin, TextField, WholeNumberField

MAX_CHARACTERS: Final = 4_000
MAX_PASSAGES: Final = 20
# Less than a minute, after which most clients and proxies give up.
WAIT_SECONDS: Final = 50.0


class SearchInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    query = TextField(max_length=MAX_CHARACTERS)
    limit = WholeNumberField(min_value=1, max_value=MAX_PASSAGES, default=8)
    locale = LocaleField(required=False)


class AskInput(ClosedSerializerMixin, serializers.Serializer[Any]):
    question = TextField(max_length=MAX_CHARACTERS)
    locale = LocaleField(required=False)


def search_pages(agent: Agent, token: str, arguments: Mapping[str, Any]) -> Answer:
    """Return the passages that could answer a query, best first."""
    fields = checked(SearchInput(data=arguments))
    customer = customer_of(agent, token)
    audience = Audience.SIGNED_IN if customer else Audience.PUBLIC
    found = search(fields["query"], viewer=Viewer(audience, fields.get("locale")), limit=fields["limit"])
    passages = [
        {
            "title": one.title,
            "heading": one.heading,
            "url": one.url,
            "text": one.text,
            "locale": one.locale,
            "article": str(one.article_id),
            "external_id": one.external_id,
        }
        for one in found.passages
    ]
    text = "\n\n".join(f"{one.title} ({one.url})\n{one.text}" for one in found.passages)
    return Answer(text or "Nothing was found.", {"answerable": found.is_answerable, "passages": passages})


async def ask_assistant(agent: Agent, token: str, arguments: Mapping[str, Any]) -> Answer:
    """Return the assistant's answer. Raises TooManyQuestions, NoAnswer, and the errors of a message that is refused."""
    fields = checked(AskInput(data=arguments))
    customer, conversation = await db(_conversation, agent, token, fields)
    return await db(_answer, await ask_runner(conversation, fields["question"], wait_seconds=WAIT_SECONDS), customer)


def _conversation(agent: Agent, token: str, fields: Mapping[str, Any]) -> tuple[Represented | None, Conversation]:
    customer = customer_of(agent, token)
    if count(f"mcp-questions:{agent.key_id}", seconds=60) > settings.MCP_QUESTIONS_PER_MINUTE:
        raise TooManyQuestions()
    fallback = Workspace.objects.values_list("locale", flat=True).get(pk=agent.workspace_id)
    locale = fields.get("locale") or detect(fields["question"], fallback)
    if customer is not None:
        return customer, start_conversation(customer.caller.customer_id, channel_id=customer.channel.pk, locale=locale)
    visitor = Customer.objects.create(name=agent.name, locale=locale)
    return None, start_conversation(visitor.pk, locale=locale)


def _answer(result: AskResult, customer: Represented | None) -> Answer:
    payload = result.payload
    if "text" not in payload:
        raise Unavailable("The assistant could not answer this question. Try again in a moment.")
    citations = [{name: one[name] for name in ("title", "url", "quote", "article")} for one in payload["citations"]]
    sources = [f"[{place}] {one['title']}: {one['url']}" for place, one in enumerate(citations, start=1)]
    content = {
        "answer": payload["text"],
        "citations": citations,
        "abstained": payload["abstained"],
        "pages": payload.get("pages", []),
        "confirmed": payload.get("confirmed"),
        "handoff": result.has_handoff,
        "conversation": str(result.conversation_id),
        "proposals": [_proposal(UUID(one["request"]), customer) for one in result.proposals] if customer else [],
    }
    return Answer("\n".join([payload["text"], *sources]), content)


def _proposal(request_id: UUID, customer: Represented) -> dict[str, Any]:
    """Return a card that the assistant's answer created, with the page for confirming it."""
    request = ActionRequest.objects.select_related("policy_version").get(pk=request_id)
    url = issue_link(request, customer) if request.state == State.AWAITING_CONFIRMATION else ""
    return outcome(request, request.locale, confirm_url=url)


def checked(serializer: serializers.Serializer[Any]) -> dict[str, Any]:
    """Return a call's arguments. Raises InvalidInput, which names each wrong or unknown argument."""
    if not serializer.is_valid():
        raise InvalidInput("Some arguments are invalid.", fields=flatten_field_errors(serializer.errors))
    found: dict[str, Any] = serializer.validated_data
    return found
