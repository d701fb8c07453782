"""Rough token counts, where a provider gives none or before it is asked. Pure."""

from collections.abc import Sequence

import orjson

from supportbot.llm.types import ModelRequest, Usage

CHARACTERS_PER_TOKEN = 4
# For a bound from above: German and code run denser than English.
CHARACTERS_PER_TOKEN_LEAST = 2
TOKENS_PER_MESSAGE = 8


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a message costs; scripts with denser tokens have longer bytes."""
    return len(text.encode(errors="surrogatepass")) // CHARACTERS_PER_TOKEN + TOKENS_PER_MESSAGE


def estimated_usage(request: ModelRequest, output_tokens: int) -> Usage:
    """Return what a call probably used."""
    return Usage(_input_characters(request) // CHARACTERS_PER_TOKEN, output_tokens, is_estimated=True)


def highest_usage(request: ModelRequest) -> Usage:
    """Return what a call can use at most; the budget reserves this much before it goes out."""
    of_text = _input_characters(request) // CHARACTERS_PER_TOKEN_LEAST
    return Usage(of_text + TOKENS_PER_MESSAGE * len(request.messages), request.max_output_tokens, is_estimated=True)


def highest_embedding_usage(texts: Sequence[str]) -> Usage:
    """Return what embedding these texts can use at most."""
    tokens = sum(-(-len(text) // CHARACTERS_PER_TOKEN_LEAST) + TOKENS_PER_MESSAGE for text in texts)
    return Usage(tokens, 0, is_estimated=True)


def _input_characters(request: ModelRequest) -> int:
    said = sum(
        len(message.content) + sum(len(call.arguments) for call in message.tool_calls) for message in request.messages
    )
    offered = sum(
        len(tool.name) + len(tool.description) + len(orjson.dumps(dict(tool.parameters))) for tool in request.tools
    )
    return said + offered
