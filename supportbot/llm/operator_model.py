"""The model from the operator's settings: which one it is, and what it can do (text, streaming, tool calls).

It is used at start-up, for routing and by `doctor`. `connection_check.py` tests connections that an admin has entered.
"""

import asyncio
from dataclasses import dataclass

import openai
from django.conf import settings
from django.utils.translation import gettext, ngettext

from supportbot.llm.errors import ModelMisconfigured, ProviderError
from supportbot.llm.providers.openai import OpenAIProvider, make_client
from supportbot.llm.providers.openai_errors import provider_errors
from supportbot.llm.types import ChatMessage, ModelRequest, TextDelta, ToolCall, ToolSpec

MODELS_SHOWN = 20
ANSWER_SECONDS = 60.0
_PROBE_TOOL = ToolSpec("ping", "Call this tool once.", {"type": "object", "properties": {}})


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a model can do, as shown by one short question."""

    text: bool
    calls_tools: bool
    streams: bool


async def resolve_model() -> str:
    """Return the model to use: OPENAI_MODEL or, if that is not set, the server's only model.

    Raises ModelMisconfigured with a sentence that names the setting and the server's models.
    """
    if settings.OPENAI_MODEL:
        return str(settings.OPENAI_MODEL)
    names = await _models()
    if len(names) == 1:
        return names[0]
    raise ModelMisconfigured(_choose_one(names))


async def check_model() -> tuple[bool, str]:
    """Return whether the configured model answers, and a sentence about it for `doctor`."""
    try:
        model = await resolve_model()
        found = await _ask(model)
    except ModelMisconfigured as error:
        return False, error.message
    except ProviderError as error:
        return (
            False,
            gettext(
                "The model server does not respond ({error}). Check OPENAI_BASE_URL, OPENAI_API_KEY and OPENAI_MODEL."
            ).format(error=error),
        )
    if not found.text and not found.calls_tools:
        return False, gettext("{model} returns empty answers. Try a different OPENAI_MODEL.").format(model=model)
    return True, _limits_of(found).format(model=model)


async def _models() -> list[str]:
    async with make_client(api_key=settings.OPENAI_API_KEY, base_url=settings.OPENAI_BASE_URL).sdk as sdk:
        try:
            with provider_errors():
                page = await sdk.with_options(timeout=openai.Timeout(10.0, connect=5.0)).models.list()
        except ProviderError as error:
            text = gettext(
                "OPENAI_MODEL is not set and the server does not list its models ({error}). Set OPENAI_MODEL, or check "
                "OPENAI_BASE_URL and OPENAI_API_KEY."
            )
            raise ModelMisconfigured(text.format(error=error)) from error
    return sorted(model.id for model in page.data)


def _choose_one(names: list[str]) -> str:
    if not names:
        return gettext("OPENAI_MODEL is not set and the server offers no model. Load one there, or set OPENAI_MODEL.")
    shown, more = ", ".join(names[:MODELS_SHOWN]), len(names) - MODELS_SHOWN
    if more <= 0:
        return gettext("OPENAI_MODEL is not set. Set it to one of the server's models: {names}.").format(names=shown)
    return ngettext(
        "OPENAI_MODEL is not set. Set it to one of the server's models: {names} and {number} more.",
        "OPENAI_MODEL is not set. Set it to one of the server's models: {names} and {number} more.",
        more,
    ).format(names=shown, number=more)


async def _ask(model: str) -> Capabilities:
    """Ask a short question and offer a tool. Raises ProviderError."""
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
    if found.streams and found.calls_tools:
        return gettext("{model} answers; it streams and calls tools.")
    if found.calls_tools:
        return gettext("{model} answers and calls tools; it does not stream, so answers appear all at once.")
    if found.streams:
        return gettext(
            "{model} answers and streams, but it called no tool, so the assistant cannot propose actions or hand over "
            "to a person with this model."
        )
    return gettext(
        "{model} answers, but it does not stream, so answers appear all at once. It called no tool either, so the "
        "assistant cannot propose actions or hand over to a person with this model."
    )
