"""What goes into a model call and what comes out: plain frozen values that every room above may hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

Role = Literal["system", "user", "assistant", "tool"]
Purpose = Literal["answer", "verify", "summarise", "rewrite", "judge", "embed"]
CUT_OFF = frozenset({"length", "content_filter"})  # the finish reasons of a text that ends anywhere


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish to use a tool. `arguments` is its unchecked JSON text; `id` is the provider's and may repeat."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class ChatMessage:
    role: Role
    content: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool the model may ask for; `parameters` is a JSON Schema, so its values are as free as JSON.

    A model goes by the description. The built-in answerer goes by `examples`: what customers say who want it, in any
    language; `is_read` says that it only looks something up.
    """

    name: str
    description: str
    parameters: Mapping[str, Any] = field(hash=False)
    title: str = ""
    examples: tuple[str, ...] = ()
    is_read: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One retrieved passage, cited in text as `[number]`. `text` is Markdown, word for word from the article.

    `weight` is how strongly search stands by it: 1 for its best passage, less the further behind another one is.
    `heading` is the innermost heading above its first words.
    """

    number: int
    title: str
    text: str
    locale: str
    weight: float = 1.0
    heading: str = ""


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One question to a model.

    A remote model reads `messages`; the built-in answerer reads `question`, `sources`, `is_answerable` and `locale`,
    and `messages` for what was said before. `looked_up` is what was searched for if that is not the question itself: a
    follow-up with what it leans on. `tools_signed_in` are those that this customer would have if they were signed in:
    nobody may call them, but a wish for one gets a better answer than a search. `nearness` is how near sentences of the
    sources are to it in meaning (`builtin.ranking`); without it, the built-in answerer goes by words. `parts` are
    the questions of one that asks several, each with those of the sources that were found for it.
    `lean_instructions` stand in for the system message where the whole was too long for a model (`history`).
    `hides_personal_data` lets a remote model read placeholders in its messages (`placeholders`); whoever has the
    workspace at hand passes its setting on. `answer_schema` asks for JSON of that JSON Schema in place of prose; a
    server that knows no such thing is asked without, so say it in words too, and read the text by `jsontext.json_in`.
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
    nearness: Mapping[str, float] = field(default_factory=dict)
    parts: tuple["ModelRequest", ...] = ()
    answer_schema: Mapping[str, Any] | None = None
    lean_instructions: str = ""
    hides_personal_data: bool = True
    prompt_version: str = ""
    conversation_id: UUID | None = None
    turn_id: UUID | None = None
    max_output_tokens: int = 800

    @property
    def sought(self) -> str:
        """What the sources were found for."""
        return self.looked_up or self.question


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; `is_estimated` where it did not and we had to."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class RouteStarted:
    """The first event of every stream: who begins to answer."""

    provider: str
    model: str


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Blocks:
    """What an answer asks for by buttons and forms, beside its text: typed blocks of the wire. No model sends any; they
    come from the built-in answerer alone, made of rows and catalogues."""

    blocks: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Restarted:
    """Another route begins from nothing: forget the text, the blocks and the tool calls collected so far."""

    provider: str
    model: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The last event of a stream that came to its end.

    `finish_reason` is stop, length, tool_calls or content_filter.
    """

    finish_reason: str
    usage: Usage
    provider: str
    model: str


ModelEvent = RouteStarted | TextDelta | Blocks | ToolCall | Restarted | Finished


@dataclass(frozen=True, slots=True)
class Completion:
    """A whole answer, for callers that show nothing before its end."""

    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage
    provider: str
    model: str
    finish_reason: str = "stop"
