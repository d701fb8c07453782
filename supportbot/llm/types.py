"""The input and output of a model call: frozen values that all higher-level packages may use."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal
from uuid import UUID

Role = Literal["system", "user", "assistant", "tool"]
Purpose = Literal["answer", "verify", "summarise", "rewrite", "judge", "translate", "draft", "embed"]
# The argument which says that the customer is correcting the open card, so the new card replaces it.
REPLACES_CARD: Final = "replaces_card"
CUT_OFF = frozenset({"length", "content_filter"})  # finish reasons of an unfinished text


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's request to use a tool.

    `arguments` is unchecked JSON text; `id` comes from the provider and may repeat.
    """

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """One message of a request. `written_on` is the day on which a customer wrote it, in the workspace's time zone."""

    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    written_on: date | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that the model may call. `parameters` is a JSON Schema, so its values may be any JSON.

    `description` is for models. The built-in answerer uses `examples` instead: customers' typical requests for the
    tool, in any language. `is_read` marks a tool that only looks something up. `option_labels` are the labels that
    customers see for its choices, by field and option. `from_chat` lists text fields that are filled in from the chat,
    so that nobody is asked for them. If a call leaves out one of the fields in `chosen`, it returns the customer's
    records to choose from, as `choices`.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] = field(hash=False)
    title: str = ""
    examples: tuple[str, ...] = ()
    is_read: bool = False
    option_labels: Mapping[str, Mapping[str, str]] = field(default_factory=dict, hash=False)
    from_chat: frozenset[str] = frozenset()
    chosen: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Source:
    """One retrieved passage, cited in the text as `[number]`. `text` is Markdown, word for word from the article.

    `weight` is its search score relative to the best passage, from 0 to 1. `heading` is the innermost heading that
    applies where the passage begins. `similarity` is its cosine similarity to the query, if search knows it.
    """

    number: int
    title: str
    text: str
    locale: str
    weight: float = 1.0
    heading: str = ""
    similarity: float | None = None


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model.

    A remote model reads `messages`; the built-in answerer reads `question`, `sources`, `is_answerable` and `locale`,
    and uses `messages` as the history.

    `looked_up` is the search query if it differs from the question, for example if it adds the earlier question to a
    follow-up. `tools_signed_in` are the tools that this customer would have after signing in. They cannot be called,
    but the answer to a request for one can say that signing in helps. `similarities` says how similar in meaning pieces
    of the sources are to the question (`builtin.ranking`); without it, the built-in answerer compares words. `parts`
    are the questions of a message that contains several, each with its sources.

    `lean_instructions` replace the system message if the request was too long for a model (`history`).
    `hides_personal_data` makes a remote model read placeholders in its messages (`masking`); callers pass on the
    workspace's setting. `answer_schema` asks for JSON that follows this JSON Schema instead of prose. A server without
    that feature gets the request without the schema, so also ask for JSON in words, and read the text with
    `json_extraction.json_in`.
    """

    purpose: Purpose
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    tools_signed_in: tuple[ToolSpec, ...] = ()
    sources: tuple[Source, ...] = ()
    question: str = ""
    looked_up: str = ""
    locale: str = "en"
    is_answerable: bool = True
    similarities: Mapping[str, float] = field(default_factory=dict)
    parts: tuple["ModelRequest", ...] = ()
    answer_schema: Mapping[str, Any] | None = None
    lean_instructions: str = ""
    hides_personal_data: bool = True
    prompt_version: str = ""
    conversation_id: UUID | None = None
    turn_id: UUID | None = None
    max_output_tokens: int = 800
    temperature: float | None = None  # None means the model's own

    @property
    def sought(self) -> str:
        """The search query that found the sources."""
        return self.looked_up or self.question


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts from the provider, or estimates if `is_estimated`."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class RouteStarted:
    """The first event of every stream; it contains the route that will answer."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Blocks:
    """Buttons and forms next to an answer's text, as typed blocks.

    Only the built-in answerer sends them. They are built from rows and catalogues.
    """

    blocks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Restarted:
    """Another route starts over: the text, the blocks and the tool calls collected so far are void."""

    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a complete stream.

    `finish_reason` is stop, length, tool_calls or content_filter.
    """

    finish_reason: str
    usage: Usage
    provider: str
    model: str


ModelEvent = RouteStarted | TextDelta | Blocks | ToolCall | Restarted | Finished


@dataclass(frozen=True, slots=True)
class Completion:
    """A complete answer, for callers that do not stream."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    provider: str
    model: str
    finish_reason: str = "stop"
