"""The port for checking an agent's draft. The assistant provides it, and `HANDOFF_DRAFT_CHECKS` contains its path."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from django.conf import settings
from django.utils.module_loading import import_string

from kb.search import Passage
from supportbot.chat.models import Conversation
from supportbot.llm.types import ModelRequest


@dataclass(frozen=True, slots=True)
class GeneratedDraft:
    """A draft as the agent will read it, and the input that the model got. `by` is the provider."""

    text: str
    request: ModelRequest
    passages: Sequence[Passage]
    by: str
    is_cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """A part of a draft that failed a check or has little support in the articles. `code` names the check."""

    start: int
    end: int
    code: str


class DraftChecks(Protocol):
    """Checks a draft in the same way as the assistant's own answers, but removes nothing."""

    def __call__(self, conversation: Conversation, written: GeneratedDraft) -> Sequence[Doubt]:
        """Return the doubtful parts in the order of the text."""


def draft_checks() -> DraftChecks:
    """Return the checks that `HANDOFF_DRAFT_CHECKS` refers to."""
    found: DraftChecks = import_string(settings.HANDOFF_DRAFT_CHECKS)
    return found
