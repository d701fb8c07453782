"""What the desk needs from above: the assistant's checks of a draft. `HANDOFF_DRAFT_CHECKS` names them."""

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
    """A draft as an agent will read it, with what its author was given; `by` is the provider."""

    text: str
    request: ModelRequest
    passages: Sequence[Passage]
    by: str
    is_cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Doubt:
    """Characters of a draft that a customer would not read of the assistant, or that little bears; by which check."""

    start: int
    end: int
    code: str


class DraftChecks(Protocol):
    """Looks at a draft as at the assistant's own answers; nothing is taken out of it."""

    def __call__(self, conversation: Conversation, written: GeneratedDraft) -> Sequence[Doubt]:
        """Return the doubtful sentences in their order."""


def draft_checks() -> DraftChecks:
    """Return what looks at drafts, as `HANDOFF_DRAFT_CHECKS` names it."""
    found: DraftChecks = import_string(settings.HANDOFF_DRAFT_CHECKS)
    return found
