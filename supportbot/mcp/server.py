"""The protocol: the official SDK's server, without state, with our tools.

This module is imported only at the first call, because the SDK takes 45 MB of memory and one or two seconds to load
(docs/decisions/mcp-server.md). Each request is self-contained: no session, stream or task outlives it.
"""

import json
import logging
from typing import Any, Final
from uuid import UUID

from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    ElicitRequest,
    ElicitRequestURLParams,
    InputRequiredResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from supportbot.accounts.scope import workspace_scope
from supportbot.async_db import db, outside
from supportbot.errors import NotFound, SupportBotError
from supportbot.mcp.action_tools import action_status, resumed, use_action
from supportbot.mcp.callers import Agent, token_in
from supportbot.mcp.knowledge_tools import ask_assistant, search_pages
from supportbot.mcp.request_checks import AGENT, MAX_BODY_BYTES
from supportbot.mcp.tool_list import ACTION_STATUS, ASK, INSTRUCTIONS, SEARCH, ToolSpec, tools_for
from supportbot.mcp.tool_results import Answer, refused

logger = logging.getLogger(__name__)
Context = ServerRequestContext[Any, Any]
IDENTITY_HEADER: Final = "customer-identity"
IDENTITY_META: Final = "supportbot/identity"


def session_manager() -> StreamableHTTPSessionManager:
    """Return the SDK's manager. It serves only while its `run()` context is open, which can be entered only once."""
    server: Server[Any] = Server(
        "supportbot",
        version="1",
        title="SupportBot",
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
        # Our schemas do not mirror arguments into headers; without this, the SDK would list all tools for each call.
        get_tool_input_schema=lambda name: None,
    )
    return StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, max_request_body_size=MAX_BODY_BYTES
    )


async def _list_tools(ctx: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
    agent = _agent(ctx)
    with workspace_scope(agent.workspace_id):
        offered = await db(tools_for, agent)
    return ListToolsResult(tools=[_as_tool(spec) for spec in offered])


def _as_tool(spec: ToolSpec) -> Tool:
    hints = ToolAnnotations(title=spec.title, read_only_hint=spec.reads, destructive_hint=False)
    return Tool(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        input_schema=dict(spec.schema),
        output_schema=dict(spec.output) if spec.output else None,
        annotations=hints,
    )


async def _call_tool(ctx: Context, params: CallToolRequestParams) -> CallToolResult | InputRequiredResult:
    agent = _agent(ctx)
    with workspace_scope(agent.workspace_id):
        offered = {spec.name for spec in await db(tools_for, agent)}
        if params.name not in offered:
            raise MCPError(INVALID_PARAMS, f"There is no tool “{params.name[:60]}”. List the tools to see their names.")
        try:
            answer = await _answer_to(agent, ctx, params)
        except SupportBotError as refusal:
            answer = refused(refusal)
        except Exception:
            # Catch every error of a call: the agent gets a readable error, and the log contains the reason.
            logger.exception("the tool %s failed", params.name)
            raise MCPError(INTERNAL_ERROR, "Something went wrong on this server. Try again in a moment.") from None
    if answer.confirmation is not None and _can_open_pages(ctx):
        return _input_required(answer)
    return CallToolResult(
        content=[TextContent(text=answer.text)],
        structured_content=json.loads(json.dumps(answer.content, default=str)),
        is_error=answer.is_error,
    )


async def _answer_to(agent: Agent, ctx: Context, params: CallToolRequestParams) -> Answer:
    meta = (ctx.meta or {}).get(IDENTITY_META)
    # A duplicate header becomes one joined value, as in HTTP, so neither is preferred.
    given = ctx.request.headers.getlist(IDENTITY_HEADER) if ctx.request else []
    token = token_in(", ".join(given), meta)
    arguments = params.arguments or {}
    match params.name:
        case SEARCH.name:
            return await db(search_pages, agent, token, arguments)
        case ASK.name:
            return await ask_assistant(agent, token, arguments)
        case ACTION_STATUS.name:
            return await db(action_status, agent, token, arguments)
        case name if params.request_state is not None:
            return await db(resumed, agent, token, name, _request_in(params.request_state))
        case name:
            return await outside(use_action, agent, token, name, arguments)


def _request_in(state: str) -> UUID:
    """Return the id of the request that a client repeats its call for. Who owns the request is checked later."""
    try:
        return UUID(state)
    except ValueError as error:
        raise NotFound() from error


def _can_open_pages(ctx: Context) -> bool:
    """Return whether this client can open pages for its user.

    Protocol versions with a handshake have no request for this, and without a session, the capabilities of their
    clients are unknown. Such clients get the URL in a plain result.
    """
    able = ctx.session.client_capabilities
    is_modern = ctx.protocol_version in MODERN_PROTOCOL_VERSIONS
    return bool(is_modern and able and able.elicitation and able.elicitation.url is not None)


def _input_required(answer: Answer) -> InputRequiredResult:
    page = answer.confirmation
    assert page is not None
    elicitation = ElicitRequest(params=ElicitRequestURLParams(message=page.message, url=page.url))
    return InputRequiredResult(input_requests={"confirmation": elicitation}, request_state=str(page.request_id))


def _agent(ctx: Context) -> Agent:
    assert ctx.request is not None  # every message arrives over HTTP
    agent: Agent = ctx.request.scope[AGENT]
    return agent
