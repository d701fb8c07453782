"""Recognises the errors that say that a request is longer than the model's context. Pure.

There is no common error code. The phrases come from OpenAI, Azure, vLLM, SGLang, TGI, llama.cpp, Ollama, LM Studio, and
the OpenAI-compatible APIs of Anthropic, Bedrock, Gemini, Mistral, Groq, xAI and Cohere.
"""

from typing import Final

STATUSES: Final = frozenset({400, 413, 422, 500})
_ALWAYS: Final = 413  # Content Too Large, whatever the message
_PHRASES: Final = (
    "context_length_exceeded",  # OpenAI, Azure, Groq
    "exceed_context_size",  # llama.cpp
    "available context size",
    "context size has been exceeded",
    "maximum context length",  # OpenAI, vLLM, DeepSeek, Mistral, OpenRouter
    "maximum model length",  # vLLM, about the encoded prompt
    "model's context length",  # SGLang
    "exceeds the context length",  # Ollama
    "exceeds maximum context length",
    "exceeds the context window",
    "exceed context limit",  # Anthropic: input and max_tokens
    "context the overflows",  # LM Studio, word for word
    "loaded with context length",
    "prompt is too long",  # Anthropic
    "input is too long",  # Bedrock
    "request too large",
    "maximum prompt length",  # xAI
    "input token count",  # Gemini
    "maximum number of tokens allowed",
    "too many tokens",  # Cohere
    "`inputs` tokens + `max_new_tokens`",  # TGI
    "reduce the length of the messages",
)


def is_overflow(status: int | None, message: str) -> bool:
    """Return whether an error means that the request was too long. `status` is None for errors inside a stream."""
    if status == _ALWAYS:
        return True
    text = message.lower()
    return (status is None or status in STATUSES) and any(phrase in text for phrase in _PHRASES)
