"""What a compatible server turned out not to know, and how to ask it without. Pure.

"OpenAI-compatible" covers servers that refuse `stream_options`, tools or streaming. A refused request was not carried
out, so asking again in a simpler way is no retry; what was learnt holds for ten minutes (`providers/openai.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from supportbot.llm.types import ChatMessage, ModelRequest, ToolSpec

# The statuses with which servers answer a field they do not know.
REFUSES_A_FIELD = frozenset({400, 405, 422, 501})
JsonForm = Literal["json_schema", "json_object", "words"]
_SIMPLER_JSON: Final[dict[JsonForm, JsonForm]] = {"json_schema": "json_object", "json_object": "words"}
_JSON_FIELDS: Final = ("response_format", "json_schema", "json_object", "guided", "grammar")
# A complaint about what we put into the tools (a bad schema) must not switch tools off: it has to sound like "unknown".
_UNKNOWN = re.compile(
    r"support|unrecogni|unknown|unexpected|extra|permitted|not allowed|requires|(?:cannot|can't) (?:be )?use|forbidden"
    r"|not implemented"
)


@dataclass(frozen=True, slots=True)
class Features:
    """How a request is worded.

    `token_field` has two names in the wild: older servers know one, newer models the other. JSON is asked for by its
    schema, or as any object, or in words alone.
    """

    streams: bool = True
    reports_usage: bool = True
    takes_tools: bool = True
    token_field: str = "max_tokens"
    json_form: JsonForm = "json_schema"

    def body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        """Return the JSON body of the request, as this server understands it."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [_message(message) for message in _in_turns(request.messages)],
            self.token_field: request.max_output_tokens,
            "stream": self.streams,
        }
        if self.streams and self.reports_usage:
            body["stream_options"] = {"include_usage": True}
        if self.takes_tools and request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.answer_schema is not None and self.json_form != "words":
            body["response_format"] = _json_form(self.json_form, request.answer_schema)
        return body


def simpler(features: Features, complaint: str, request: ModelRequest) -> Features | None:
    """Return the next simpler way to put `request` after `complaint`, or None if it is about something else."""
    said = complaint.lower()
    # Whatever it is about: a schema that it cannot take is as good as a field that it does not know.
    if _asks_for_json(features, request) and any(name in said for name in _JSON_FIELDS):
        return replace(features, json_form=_SIMPLER_JSON[features.json_form])
    if features.token_field == "max_tokens" and "max_completion_tokens" in said:
        return replace(features, token_field="max_completion_tokens")
    if features.reports_usage and features.streams and ("stream_options" in said or "include_usage" in said):
        return replace(features, reports_usage=False)
    if _UNKNOWN.search(said):
        # "Tools are not supported while streaming": an answer in one piece costs less than the tools, so it goes first.
        if features.streams and features.takes_tools and "stream" in said:
            return replace(features, streams=False)
        if features.takes_tools and "tool" in said:
            return replace(features, takes_tools=False, streams=True)  # it may have streamed all along
        if features.streams and "stream" in said:
            return replace(features, streams=False)
    # Some servers refuse an unknown field without naming it; usage is the one nobody misses.
    if features.reports_usage and features.streams:
        return replace(features, reports_usage=False)
    return replace(features, json_form="words") if _asks_for_json(features, request) else None


def _asks_for_json(features: Features, request: ModelRequest) -> bool:
    return request.answer_schema is not None and features.json_form != "words"


def _json_form(form: JsonForm, schema: Mapping[str, Any]) -> dict[str, Any]:
    if form == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": dict(schema)}}


def _in_turns(messages: Sequence[ChatMessage]) -> list[ChatMessage]:
    """Join what one side says in a row: the templates of many open models refuse two messages of one role."""
    joined: list[ChatMessage] = []
    for message in messages:
        if joined and message.role == joined[-1].role and _is_speech(message) and _is_speech(joined[-1]):
            joined[-1] = replace(joined[-1], content=f"{joined[-1].content}\n\n{message.content}")
        else:
            joined.append(message)
    return joined


def _is_speech(message: ChatMessage) -> bool:
    return message.role in ("user", "assistant") and not message.tool_calls


def _message(message: ChatMessage) -> dict[str, Any]:
    wire: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.tool_calls:
        wire["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        wire["tool_call_id"] = message.tool_call_id
    return wire


def _tool(tool: ToolSpec) -> Mapping[str, Any]:
    return {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
    }
