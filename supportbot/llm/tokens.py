"""Rough token counts, used before a call, or if a provider reports none. Pure."""

from collections.abc import Sequence

import orjson

from supportbot.llm.types import ModelRequest, Usage

CHARACTERS_PER_TOKEN = 4
# Used for the upper bound, because German and code have more tokens per character than English.
MIN_CHARACTERS_PER_TOKEN = 2
TOKENS_PER_MESSAGE = 8


def estimated_tokens(text: str) -> int:
    """Return roughly how many tokens a text has. The estimate is based on bytes, because letters of non-Latin scripts
    take more bytes and more tokens.
    """
    return len(text.encode(errors="surrogatepass")) // CHARACTERS_PER_TOKEN + TOKENS_PER_MESSAGE


def estimated_usage(request: ModelRequest, output_tokens: int) -> Usage:
    """Return the probable usage of a call."""
    return Usage(_input_characters(request) // CHARACTERS_PER_TOKEN, output_tokens, is_estimated=True)


def highest_usage(request: ModelRequest) -> Usage:
    """Return the maximum usage of a call, which the budget reserves before the call goes out."""
    of_text = _input_characters(request) // MIN_CHARACTERS_PER_TOKEN
    return Usage(of_text + TOKENS_PER_MESSAGE * len(request.messages), request.max_output_tokens, is_estimated=True)


def highest_embedding_usage(texts: Sequence[str]) -> Usage:
    """Return the maximum usage for embedding the texts."""
    tokens = sum(-(-len(text) // MIN_CHARACTERS_PER_TOKEN) + TOKENS_PER_MESSAGE for text in texts)
    return Usage(tokens, 0, is_estimated=True)


def _input_characters(request: ModelRequest) -> int:
    of_messages = sum(
        len(message.content) + sum(len(call.arguments) for call in message.tool_calls) for message in request.messages
    )
    of_tools = sum(
        len(tool.name) + len(tool.description) + len(orjson.dumps(dict(tool.parameters))) for tool in request.tools
    )
    return of_messages + of_tools
