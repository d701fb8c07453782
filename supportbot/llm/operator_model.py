"""The model of the operator's settings: which one it is, and what it can do (text, streaming, tool calls).

Starts, routing and `doctor` use it; `connection_check.py` tests a connection that an admin has entered.
"""

import asyncio
from dataclasses import dataclass

import openai
from django.conf import settings

from supportbot.llm.errors import ModelMisconfigured, ProviderError
from supportbot.llm.providers.openai import OpenAIProvider, make_client
from supportbot.llm.providers.openai_errors import provider_errors
from supportbot.llm.types import ChatMessage, ModelRequest, TextDelta, ToolCall, ToolSpec

MODELS_SHOWN = 20
ANSWER_SECONDS = 60.0
_PROBE_TOOL = ToolSpec("ping", "Call this tool once.", {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A model's features, as shown by one short question."""

    text: bool
    calls_tools: bool
    streams: bool


async def resolve_model() -> str:
    """Return the model to use: OPENAI_MODEL, or the server's only model.

    Raises ModelMisconfigured with one sentence that names the setting and the server's models.
    """
    if settings.OPENAI_MODEL:
        return str(settings.OPENAI_MODEL)
    names = await _models()
    if len(names) == 1:
        return names[0]
    raise ModelMisconfigured(_choose_one(names))


async def check_model() -> tuple[bool, str]:
    """Return whether the configured model answers, and one sentence about it for `doctor`."""
    try:
        model = await resolve_model()
        found = await _ask(model)
    except ModelMisconfigured as error:
        return False, error.message
    except ProviderError as error:
        return (
            False,
            f"The model server does not answer ({error}). Check OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL.",
        )
    if not found.text and not found.calls_tools:
        return False, f"{model} gives empty answers. Try another OPENAI_MODEL."
    return True, f"{model} answers; {_limits_of(found)}."


async def _models() -> list[str]:
    async with make_client(api_key=settings.OPENAI_API_KEY, base_url=settings.OPENAI_BASE_URL).sdk as sdk:
        try:
            with provider_errors():
                page = await sdk.with_options(timeout=openai.Timeout(10.0, connect=5.0)).models.list()
        except ProviderError as error:
            raise ModelMisconfigured(
                f"OPENAI_MODEL is not set and the server does not list its models ({error}). "
                "Set OPENAI_MODEL, or check OPENAI_BASE_URL and OPENAI_API_KEY."
            ) from error
    return sorted(model.id for model in page.data)


def _choose_one(names: list[str]) -> str:
    if not names:
        return "OPENAI_MODEL is not set and the server offers no model. Load one there, or set OPENAI_MODEL."
    shown = ", ".join(names[:MODELS_SHOWN]) + (
        f" and {len(names) - MODELS_SHOWN} more" if len(names) > MODELS_SHOWN else ""
    )
    return f"OPENAI_MODEL is not set. Set it to one of the server's models: {shown}."


async def _ask(model: str) -> Capabilities:
    """Ask one short question and offer a tool. Raises ProviderError."""
    request = ModelRequest(
        purpose="answer",
        messages=(ChatMessage("user", "Call the tool ping. If you have no tools, answer with the word ready."),),
        tools=(_PROBE_TOOL,),
        max_output_tokens=200,
    )
    client = make_client(api_key=settings.OPENAI_API_KEY, base_url=settings.OPENAI_BASE_URL)
    async with client.sdk:
        provider = OpenAIProvider(client, model=model)
        with provider_errors():
            async with asyncio.timeout(ANSWER_SECONDS):
                events = [event async for event in provider.stream(request)]
    return Capabilities(
        text=any(isinstance(event, TextDelta) for event in events),
        calls_tools=any(isinstance(event, ToolCall) for event in events),
        streams=not provider.answers_whole,
    )


def _limits_of(found: Capabilities) -> str:
    streaming = "it streams" if found.streams else "it does not stream, so answers appear in one piece"
    if found.calls_tools:
        return f"{streaming} and calls tools"
    return f"{streaming}, but it called no tool: actions and handing over by the assistant will not work with it"
