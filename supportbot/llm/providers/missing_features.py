"""Finds out which features a compatible server lacks, and builds requests without them. Pure.

Some "OpenAI-compatible" servers refuse `stream_options`, tools or streaming. A refused request was not carried out, so
sending a simpler one is not a retry. Refusals are remembered for ten minutes (`providers/openai.py`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from supportbot.llm.types import ChatMessage, ModelRequest, ToolSpec

# The statuses with which servers refuse an unknown field.
REFUSES_A_FIELD = frozenset({400, 405, 422, 501})
JsonForm = Literal["json_schema", "json_object", "words"]
_SIMPLER_JSON: Final[dict[JsonForm, JsonForm]] = {"json_schema": "json_object", "json_object": "words"}
_JSON_FIELDS: Final = ("response_format", "json_schema", "json_object", "guided", "grammar")
# A complaint about a tool's content (a bad schema) must not switch tools off; the message has to say that tools are
# unknown.
_UNKNOWN = re.compile(
    r"support|unrecogni|unknown|unexpected|extra|permitted|not allowed|requires|(?:cannot|can't) (?:be )?use|forbidden"
    r"|not implemented"
)


@dataclass(frozen=True, slots=True)
class Features:
    """The features that requests to a server use.

    `token_field` has two possible names: older servers know one, newer models the other. JSON can be requested in three
    ways: with its schema, as any object, or only in words.
    """

    streams: bool = True
    reports_usage: bool = True
    takes_tools: bool = True
    token_field: str = "max_tokens"
    json_form: JsonForm = "json_schema"
    takes_temperature: bool = True

    def body(self, model: str, request: ModelRequest) -> dict[str, Any]:
        """Return the request as a JSON body with only the features that this server supports."""
        body: dict[str, Any] = {
            "model": model,
            "messages": [_message(message) for message in _in_turns(request.messages)],
            self.token_field: request.max_output_tokens,
            "stream": self.streams,
        }
        if request.temperature is not None and self.takes_temperature:
            body["temperature"] = request.temperature
        if self.streams and self.reports_usage:
            body["stream_options"] = {"include_usage": True}
        if self.takes_tools and request.tools:
            body["tools"] = [_tool(tool) for tool in request.tools]
        if request.answer_schema is not None and self.json_form != "words":
            body["response_format"] = _json_form(self.json_form, request.answer_schema)
        return body


def simpler(features: Features, complaint: str, request: ModelRequest) -> Features | None:
    """Return the features for `request` after a `complaint`, one step simpler; None if the complaint is about something
    else.
    """
    text = complaint.lower()
    # A rejected schema is treated like an unknown field.
    if _asks_for_json(features, request) and any(name in text for name in _JSON_FIELDS):
        return replace(features, json_form=_SIMPLER_JSON[features.json_form])
    if features.token_field == "max_tokens" and "max_completion_tokens" in text:
        return replace(features, token_field="max_completion_tokens")
    if features.takes_temperature and request.temperature is not None and "temperature" in text:
        return replace(features, takes_temperature=False)
    if features.reports_usage and features.streams and ("stream_options" in text or "include_usage" in text):
        return replace(features, reports_usage=False)
    if _UNKNOWN.search(text):
        # "Tools are not supported while streaming": giving up streaming costs less than giving up tools.
        if features.streams and features.takes_tools and "stream" in text:
            return replace(features, streams=False)
        if features.takes_tools and "tool" in text:
            return replace(features, takes_tools=False, streams=True)  # streaming itself may be supported
        if features.streams and "stream" in text:
            return replace(features, streams=False)
    # Some servers refuse an unknown field without naming it, and usage is the least important one.
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
    """Join consecutive messages with the same role, which the templates of many open models refuse."""
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
