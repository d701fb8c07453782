"""What the built-in answerer hears in a single message, without a conversation. Pure."""

from collections.abc import Sequence

from actions.registry import all_actions
from supportbot.assistant.action_tools import spec_of
from supportbot.builtin.intents import UNDO, DetectedIntent, detect_intent, wants_undo
from supportbot.language.detection import base_language, detect
from supportbot.llm.types import ToolSpec


def heard_in(said: str, locale: str) -> tuple[str, ...]:
    """Return the action that is heard in a message, or those that the answerer would ask about."""
    found = intent_in(said, tools_in(detect(said, base_language(locale))))
    return (found.action,) if found.action else found.candidates


def tools_in(language: str) -> list[ToolSpec]:
    """Return the tools of all actions in a language."""
    return [spec_of(action, language) for action in all_actions().values()]


def intent_in(said: str, tools: Sequence[ToolSpec], *, is_after_deed: bool = False) -> DetectedIntent:
    """Return what a message requests; `is_after_deed` says that something was done in the conversation before."""
    found = detect_intent(said, tools)
    return DetectedIntent(UNDO) if wants_undo(said, tools, is_after_deed=is_after_deed) else found
